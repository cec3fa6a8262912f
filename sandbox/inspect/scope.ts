/**
 * Which variable a name means: scopes of the language, and what is known of each variable's value.
 */
import type { AnyNode } from "./parse.ts";

/** A variable. */
export interface Binding {
  readonly name: string;
  readonly scope: Scope;
  /** Where it is declared first, an offset. */
  readonly at: number;
  /** How often it gets a value, its declaration included. */
  writes: number;
  /** The value; all there is to know of it where `writes` is 1. */
  value: AnyNode | undefined;
  /** The variable is this property of the value: `const { value: x } = …`. */
  property: string | undefined;
}

/** A region of names. */
export class Scope {
  readonly parent: Scope | undefined;
  /** Code in it runs once, when the module is evaluated. */
  readonly isModule: boolean;
  /** Where a `var` in here is declared. */
  readonly hoist: Scope;
  readonly #names = new Map<string, Binding>();
  /** The next one outwards that has names: empty ones are skipped. */
  #outer: Scope | undefined;

  constructor(parent: Scope | undefined, kind: { readonly isFunction: boolean; readonly isModule: boolean }) {
    this.parent = parent;
    this.isModule = kind.isModule;
    this.hoist = kind.isFunction || parent === undefined ? this : parent.hoist;
  }

  /** The variable of that name in this very scope, made when it is not there. */
  declare(name: string, at: number): Binding {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const binding: Binding = { name, scope: this, at, writes: 0, value: undefined, property: undefined };
    this.#names.set(name, binding);
    return binding;
  }

  /** The variable that a name means in here; undefined for a global. To be asked when all is declared. */
  find(name: string): Binding | undefined {
    return this.#names.get(name) ?? this.#next()?.find(name); // As deep as scopes are: the walk has counted them.
  }

  #next(): Scope | undefined {
    if (this.#outer !== undefined) return this.#outer;
    let outer = this.parent;
    while (outer !== undefined && outer.#names.size === 0 && outer.parent !== undefined) outer = outer.parent;
    this.#outer = outer;
    return outer;
  }
}
