/** Names of branches that are being filled by an import: they are nobody's agents. */

/** What such a name begins with. */
export const IMPORT_PREFIX = "~import/";

/** Whether a branch of this name is being imported, or was left over by an import that was killed. */
export function isImportName(name: string): boolean {
  return name.startsWith(IMPORT_PREFIX);
}
