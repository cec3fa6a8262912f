/**
 * Who is whose subagent: a forest over the names. A subagent is called `<parent>/<id>`, so its name says whose it is; what
 * stands here is which names are subagents at all (a child of a supervisor has a path too), running or asleep.
 *
 *   a            depth 0, the root of its tree
 *   a/b          depth 1
 *   a/b/c        depth 2
 *
 * Invariants
 * 1. Every name that is here stands among the children of its parent, and counts once for the root of its tree.
 * 2. An agent without subagents takes no space.
 * 3. Adding, removing and counting cost the depth of the name, not the number of agents.
 */

/** The subagents of a runtime. Pure data. */
export class Kinship {
  /** For each agent its subagents, with the number of their birth. */
  readonly #children = new Map<string, Map<string, number>>();
  /** For each root that has subagents, how many at any depth. */
  readonly #counts = new Map<string, number>();
  #births = 0;

  /** Whether this name is a subagent's. */
  has(path: string): boolean {
    return this.birth(path) !== undefined;
  }

  /** Tells the one who has this name from those who had it before. */
  birth(path: string): number | undefined {
    return this.#children.get(parentOf(path) ?? "")?.get(path);
  }

  /** A subagent begins, or was found in the vault. Returns its birth. */
  add(path: string): number {
    const parent = parentOf(path);
    if (parent === undefined) throw new Error(`${path} is nobody's child`);
    const known = this.birth(path);
    if (known !== undefined) return known;
    const birth = ++this.#births;
    const children = this.#children.get(parent) ?? new Map<string, number>();
    this.#children.set(parent, children.set(path, birth));
    const root = this.root(path);
    this.#counts.set(root, this.count(root) + 1);
    return birth;
  }

  /** A subagent is gone; its own were removed before. */
  remove(path: string): void {
    const parent = parentOf(path) ?? "";
    const root = this.root(path);
    const children = this.#children.get(parent);
    if (children?.delete(path) !== true) return;
    if (children.size === 0) this.#children.delete(parent);
    const count = this.count(root) - 1;
    if (count > 0) this.#counts.set(root, count);
    else this.#counts.delete(root);
  }

  /** The subagents of this agent, without theirs, in the order of their spawning. */
  children(of: string): readonly string[] {
    return [...(this.#children.get(of)?.keys() ?? [])];
  }

  /** All that live below this agent, the deepest first: nobody comes before its own children. */
  descendants(of: string): readonly string[] {
    const found = [...this.children(of)];
    for (let index = 0; index < found.length; index++) found.push(...this.children(found[index] ?? ""));
    return found.toReversed();
  }

  /** The agent at the top of this one's tree: the first on the way up that is no subagent. */
  root(path: string): string {
    let root = path;
    while (this.has(root)) root = parentOf(root) ?? root;
    return root;
  }

  /** How many parents stand above it. */
  depth(path: string): number {
    let depth = 0;
    for (let at = path; this.has(at); at = parentOf(at) ?? at) depth += 1;
    return depth;
  }

  /** How many subagents a tree has, at any depth. */
  count(root: string): number {
    return this.#counts.get(root) ?? 0;
  }
}

/** The name that stands before the last part of a path; undefined for a name of one part. */
export function parentOf(path: string): string | undefined {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? undefined : path.slice(0, slash);
}
