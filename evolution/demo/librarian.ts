/**
 * The librarian as the demo handles it: its name, its types, its first start.
 */
import { pathToFileURL } from "node:url";
import type { AgentRef, Runtime } from "../../runtime/index.ts";
import { agentFile } from "./versions.ts";

/** Methods, arguments and replies of the librarian, as its module declares them; every version keeps to them. */
export type LibrarianDefinition = typeof import("./librarian.agent.ts").default;

/** A reference to the librarian. */
export type Librarian = AgentRef<LibrarianDefinition>;

/** Its name in the vault. */
export const LIBRARIAN = "librarian";

/** Starts the librarian with its first version. Rejects as `Runtime.spawn` does. */
export function spawnLibrarian(runtime: Runtime): Promise<Librarian> {
  return runtime.spawn<LibrarianDefinition>({ id: LIBRARIAN, module: pathToFileURL(agentFile("librarian")) });
}

/** The librarian that a vault remembers. */
export function refLibrarian(runtime: Runtime): Librarian {
  return runtime.ref<LibrarianDefinition>(LIBRARIAN);
}
