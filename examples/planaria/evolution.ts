/** `planaria/evolution` for the examples: the sources of this repository. */
export * from "../../evolution/index.ts";
