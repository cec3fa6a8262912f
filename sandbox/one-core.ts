/**
 * Which core the next cell of the async lane runs on: one, the cores of this process in turns.
 *
 * Such a cell lets one turn in at a time, so a second core is of no use to it; and shadows in it are compared by their CPU time.
 * Left to the scheduler, two isolates of the same code stayed on two cores whose neighbours differ, and differed by up to a
 * quarter in CPU time for as long as they lived; on one core by less than a hundredth. (Such bias is common: Mytkowicz et al.,
 * "Producing wrong data without doing anything obviously wrong", 2009.)
 */
import { readFileSync } from "node:fs";

let turn = 0;

/** The chain's link that binds what follows to one core; nothing where `taskset` does not work here or there is one core only. */
export function oneCoreArgs(taskset: string | undefined): readonly string[] {
  const cores = taskset === undefined ? [] : allowedCores();
  const core = cores[turn++ % cores.length];
  return taskset === undefined || core === undefined || cores.length < 2 ? [] : [taskset, "-c", String(core)];
}

/** Numbers of the cores that this process may use, as the kernel lists them (proc(5), Cpus_allowed_list). */
export function allowedCores(): readonly number[] {
  try {
    return coresIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "");
  } catch (error) {
    // No such file on other systems, nor taskset.
    if (error instanceof Error && "code" in error) return [];
    throw error;
  }
}

/** `0-2,5` is 0, 1, 2 and 5. */
export function coresIn(list: string): readonly number[] {
  return list.split(",").flatMap((range) => {
    const [first = Number.NaN, last = first] = range
      .split("-")
      .map((text) => (text === "" ? Number.NaN : Number(text)));
    return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
