/** The best of each kind, and who does each case best. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Archive, bordersOf, cellOf } from "../../../evolution/population/archive.ts";
import { CaseHolders } from "../../../evolution/population/case-holders.ts";
import { REGIONS, regionsFor } from "../../../evolution/population/regions.ts";
import { SeenPrograms } from "../../../evolution/population/seen-programs.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { someone } from "./someone.ts";

describe("the archive", () => {
  it("keeps one program of a kind, and gives it up to a better one only", () => {
    const archive = new Archive(seededRandom(1));
    const [first, equal, better] = [0.5, 0.5, 0.6].map((score, index) => someone(`same size ${index}`, [score]));
    assert.ok(first !== undefined && equal !== undefined && better !== undefined);
    assert.deepEqual([archive.offer(first), archive.offer(equal), archive.offer(better)], [true, false, true]);
    assert.deepEqual(archive.members(), [better]);
  });

  it("tells programs apart by size and by steps", () => {
    const cells = new Set(
      [someone("x", [1]), someone("x".repeat(50), [1]), someone("y", [1], { fuel: 1_000 })].map((each) =>
        cellOf(each, []),
      ),
    );
    assert.equal(cells.size, 3);
  });

  it("sets the borders of behaviour from the first 32 programs, and never moves them", () => {
    const archive = new Archive(seededRandom(1));
    const offer = (value: number, score: number): boolean =>
      archive.offer(someone(`value ${1_000 + value}`, [score], { descriptor: [value] }));
    for (let value = 0; value < 32; value++) assert.equal(offer(value, 0.5), false);
    const cells = archive.elites().map(({ cell }) => cell);
    assert.ok(cells.length > 20, `${cells.length} cells`);
    for (let value = 100; value < 200; value++) offer(value, 0.9);
    assert.deepEqual(
      archive.elites().map(({ cell }) => cell),
      cells,
      "what lies beyond the last border is in its cell",
    );
  });

  it("sets the borders with what there is when a run ends early", () => {
    const archive = new Archive(seededRandom(1));
    archive.offer(someone("only one", [1], { descriptor: [3, 4] }));
    assert.deepEqual(archive.elites(), []);
    archive.freeze();
    assert.equal(archive.elites().length, 1);
  });

  it("has fewer borders for each number the more numbers there are, at quantiles, and equal ones are one", () => {
    assert.equal(bordersOf([[1, 2, 3, 4, 5, 6]]).length, 6);
    const [marks = []] = bordersOf(Array.from({ length: 64 }, (_, value) => [value]));
    assert.equal(marks.length, 63);
    assert.deepEqual(bordersOf(Array.from({ length: 64 }, () => [7])), [[7]]);
  });
});

describe("a description that no grid has room for", () => {
  const NUMBERS = 7;
  const random = seededRandom(5);
  const somewhere = (): readonly number[] => Array.from({ length: NUMBERS }, () => random.next32() % 1_000);
  const sample = Array.from({ length: 32 }, somewhere);
  const regionOf = regionsFor(sample, seededRandom(1));

  it("falls in one of 256 regions of about the same size, near behaviours in the same one", () => {
    const counts = new Uint32Array(REGIONS);
    const points = Array.from({ length: 2_000 }, somewhere);
    for (const point of points) counts[regionOf(point)] = (counts[regionOf(point)] ?? 0) + 1;
    assert.ok(counts.filter((count) => count > 0).length > 230);
    assert.ok(Math.max(...counts) < 40, `${Math.max(...counts)} of 2,000 in one`);
    const same = points.filter((point) => regionOf(point) === regionOf(point.map((value) => value + 1)));
    assert.ok(same.length > 1_900, `${same.length}`);
  });

  it("has its regions for good: the same for a seed, others for another, and what lies beyond is at a border", () => {
    const again = regionsFor(sample, seededRandom(1));
    const other = regionsFor(sample, seededRandom(2));
    assert.ok(sample.every((each) => regionOf(each) === again(each)));
    assert.ok(sample.some((each) => regionOf(each) !== other(each)));
    const far = Array.from({ length: NUMBERS }, () => 1e9);
    assert.equal(regionOf(far), regionOf(far.map((value) => value * 2)));
  });

  it("is the kind of a program alone, whatever its size", () => {
    const archive = new Archive(seededRandom(1));
    for (const [index, descriptor] of sample.entries()) archive.offer(someone(`${index}`, [0.5], { descriptor }));
    const [first = []] = sample;
    const cells = archive.elites().map(({ cell }) => cell);
    assert.ok(cells.length > 20 && cells.every((cell) => /^region\/[0-9]{3}$/.test(cell)), cells.join(" "));
    const longer = someone("x".repeat(500), [0.6], { descriptor: first });
    assert.equal(archive.offer(longer), true);
    assert.equal(archive.elites().length, cells.length);
    assert.equal(archive.offer(someone("y", [0.6], { descriptor: first })), false);
  });
});

describe("holders of cases", () => {
  it("a case has the program that does it best; of equal ones the better one altogether", () => {
    const holders = new CaseHolders(3);
    const broad = someone("broad", [0.5, 0.5, 0.5]);
    const narrow = someone("narrow", [1, 0, 0]);
    const wide = someone("wide", [1, 0.5, 0.2]);
    assert.deepEqual([holders.offer(broad), holders.offer(narrow), holders.offer(wide)], [3, 1, 2]);
    assert.deepEqual(holders.ids(), [wide.id, wide.id, broad.id]);
    assert.deepEqual(holders.members(), [wide, broad]);
  });
});

describe("programs that were seen", () => {
  it("are new once, until so many came after them", () => {
    const seen = new SeenPrograms(2);
    const ids = ["a", "b", "c"].map((letter) => letter.repeat(64));
    assert.deepEqual(
      ids.map((id) => seen.add(id)),
      [true, true, true],
    );
    assert.equal(seen.size, 2);
    assert.deepEqual(
      ids.map((id) => seen.has(id)),
      [false, true, true],
    );
    assert.equal(seen.add(ids[2] ?? ""), false);
  });
});
