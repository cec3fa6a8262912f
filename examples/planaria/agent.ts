/** `planaria/agent` for the examples: the sources of this repository. */
export * from "../../sandbox/agent.ts";
