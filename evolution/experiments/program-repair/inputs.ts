/**
 * Inputs like those of the examples, made up: patches that all pass the examples are told apart by what they answer on these. What
 * the examples show of the domain is kept: whole numbers stay whole, what is never negative stays so, texts keep to their signs.
 */
import type { Random } from "../../../runtime/index.ts";

/** Longest list or text that is made. */
const LENGTH_MAX = 40;
/** Lists in lists. */
const DEPTH_MAX = 4;

/** What the examples show. */
interface Domain {
  readonly areWhole: boolean;
  readonly areNegative: boolean;
  readonly numbers: readonly number[];
  readonly signs: readonly string[];
}

/** So many lists of arguments, each made of one that is given by one to three changes. None where none is given. */
export function inputsLike(
  given: readonly (readonly unknown[])[],
  count: number,
  random: Random,
): readonly (readonly unknown[])[] {
  if (given.length === 0) return [];
  const domain = domainOf(given);
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[random.next32() % Math.max(1, items.length)];
  return Array.from({ length: count }, () => {
    let args = pick(given) ?? [];
    for (let changes = 1 + (random.next32() % 3); changes > 0; changes--) {
      const at = random.next32() % Math.max(1, args.length);
      args = args.map((arg, index) => (index === at ? changed(arg, domain, pick, 0) : arg));
    }
    return args;
  });
}

type Pick = <Item>(items: readonly Item[]) => Item | undefined;

function changed(value: unknown, domain: Domain, pick: Pick, depth: number): unknown {
  if (typeof value === "number") return pick(numbersNear(value, domain)) ?? value;
  if (typeof value === "boolean") return !value;
  if (typeof value === "string") return pick(textsNear(value, domain, pick)) ?? value;
  if (Array.isArray(value)) return pick(listsNear(value, domain, pick, depth)) ?? value;
  return value;
}

function numbersNear(value: number, { areWhole, areNegative, numbers }: Domain): readonly number[] {
  const near = [
    value + 1,
    value - 1,
    value + 2,
    value * 2,
    value + 7,
    0,
    1,
    2,
    ...(areNegative ? [-value, -1] : []),
    ...numbers,
  ];
  const others = areWhole ? near : [...near, value + 0.5, value / 2];
  return others.filter((other) => other !== value && (areNegative || other >= 0));
}

function textsNear(value: string, { signs }: Domain, pick: Pick): readonly string[] {
  const letters = value.split("");
  const at = pick(letters.map((_, index) => index)) ?? 0;
  const sign = pick(signs) ?? "a";
  return [
    letters.toSpliced(at, 1).join(""),
    letters.toSpliced(at, 0, sign).join(""),
    letters.toSpliced(at, 1, sign).join(""),
    letters.toSpliced(at, 0, letters[at] ?? "").join(""),
    letters.toReversed().join(""),
    letters.slice(0, at).join(""),
    letters.slice(at).join(""),
    (value + value).slice(0, LENGTH_MAX),
  ].filter((other) => other.length <= LENGTH_MAX);
}

function listsNear(
  value: readonly unknown[],
  domain: Domain,
  pick: Pick,
  depth: number,
): readonly (readonly unknown[])[] {
  const at = pick(value.map((_, index) => index)) ?? 0;
  const one = depth < DEPTH_MAX && value.length > 0 ? changed(value[at], domain, pick, depth + 1) : undefined;
  const lists = [value.toReversed(), value.toSpliced(at, 1), value.slice(0, at + 1)];
  if (one !== undefined)
    lists.push(value.toSpliced(at, 1, one), value.toSpliced(at, 0, one), value.toSpliced(at, 0, value[at]), [
      ...value,
      one,
    ]);
  return lists.filter((other) => other.length <= LENGTH_MAX);
}

function domainOf(given: readonly (readonly unknown[])[]): Domain {
  const numbers = new Set<number>();
  const signs = new Set<string>();
  const stack: { readonly value: unknown; readonly depth: number }[] = given.map((value) => ({ value, depth: 0 }));
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { value, depth } = top;
    if (typeof value === "number") numbers.add(value);
    else if (typeof value === "string") for (const sign of value.slice(0, LENGTH_MAX)) signs.add(sign);
    else if (Array.isArray(value) && depth <= DEPTH_MAX)
      for (const each of value.values()) stack.push({ value: each, depth: depth + 1 });
  }
  const all = [...numbers];
  return {
    areWhole: all.every(Number.isInteger),
    areNegative: all.some((value) => value < 0),
    numbers: all.slice(0, 16),
    signs: [...signs],
  };
}
