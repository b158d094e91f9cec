// Preact under the name of React, with the one function for tests that its compat layer leaves out.
// @ts-expect-error Preact declares its compat layer with `export =`, but it is a module.
export * from "preact/compat";
export { act } from "preact/test-utils";
