// The public names of the client; filled in as the parts arrive.
export const VERSION = "0.1.0";
