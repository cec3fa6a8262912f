/** The system's clock, as this floor and those above know it. It is made one floor below, where tools need it as well. */
export { systemClock } from "../vault/index.ts";
