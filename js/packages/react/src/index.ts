// The public names of the hooks.
export {};
