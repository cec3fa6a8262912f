/** `planaria/testing` for the examples: the sources of this repository. */
export * from "../../runtime/testing.ts";
