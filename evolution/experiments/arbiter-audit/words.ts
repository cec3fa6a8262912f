/** The words that this experiment has beside those of the frame: how many candidates, and how many agents side by side. Pure. */

/** How large an audit is. */
export interface AuditSize {
  readonly bad: number;
  readonly good: number;
}

/** What the words mean; `rest` is for the frame. */
export type AuditWords =
  | { readonly kind: "size"; readonly size: AuditSize; readonly rest: readonly string[] }
  | { readonly kind: "refused"; readonly message: string };

/** Candidates of either kind. */
const CANDIDATES_MAX = 10_000;

/** Takes `--bad` and `--good` out, and hands `--lanes` on as what the frame calls workers. */
export function auditWords(argv: readonly string[], defaults: AuditSize): AuditWords {
  const size = { ...defaults };
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const [, name, joined] = /^--(bad|good|lanes)(?:=(.*))?$/s.exec(argv[index] ?? "") ?? [];
    if (name === undefined) {
      rest.push(argv[index] ?? "");
      continue;
    }
    const value = joined ?? argv[++index];
    if (name === "lanes") rest.push("--workers", ...(value === undefined ? [] : [value]));
    else {
      const count = /^\d{1,9}$/.test(value ?? "") ? Number(value) : -1;
      if (count < 0 || count > CANDIDATES_MAX)
        return {
          kind: "refused",
          message: `--${name} takes a number from 0 to ${CANDIDATES_MAX}: ${value ?? "nothing"}`,
        };
      size[name as keyof AuditSize] = count; // bad or good, as the pattern has it
    }
  }
  if (size.bad + size.good === 0)
    return { kind: "refused", message: "--bad and --good are both 0: there is nothing to audit" };
  return { kind: "size", size, rest };
}
