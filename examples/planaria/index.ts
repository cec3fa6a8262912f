/** `planaria` for the examples: the sources of this repository. */
export * from "../../runtime/index.ts";
