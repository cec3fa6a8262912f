/**
 * What the kernel says of a running cell: the layers that really surround the process, whatever was asked for when it was
 * started. Read from outside, from `/proc`, so the cell has no say in it.
 */
import { readFileSync, readlinkSync } from "node:fs";
import type { LayerName } from "./layers.ts";

/** Namespaces that bubblewrap makes anew; a process of ours would share them with us. */
const NAMESPACES = ["user", "pid", "net", "ipc", "uts", "mnt"];

/** Reads a file under `/proc/<pid>/`, or follows a link there. */
export interface ProcessView {
  text(name: string): string;
  link(name: string): string;
}

/** The layers that surround the process of this pid: none where we may not look at it; undefined when it is gone. */
export function confirmedLayers(pid: number): readonly LayerName[] | undefined {
  try {
    return layersOf(viewOf(pid), viewOf("self"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // the file system throws nothing else
    return code === "ENOENT" || code === "ESRCH" ? undefined : []; // What cannot be seen is not confirmed.
  }
}

/** Decides, from what `/proc` says of the process and of ours. */
export function layersOf(view: ProcessView, ours: ProcessView): readonly LayerName[] {
  const status = view.text("status");
  const limits = view.text("limits");
  const isApart = NAMESPACES.every((name) => view.link(`ns/${name}`) !== ours.link(`ns/${name}`));
  const isLimited = /^Max core file size\s+0\s+0\s/m.test(limits) && /^Max file size\s+\d+\s+\d+\s/m.test(limits);
  const found: readonly (readonly [LayerName, boolean])[] = [
    ["permission", view.text("cmdline").split("\0").includes("--permission")],
    ["bubblewrap", isApart],
    ["seccomp", /^Seccomp:\s+2$/m.test(status)],
    ["rlimits", isLimited && /^Max open files\s+\d{1,3}\s/m.test(limits)],
    ["no_new_privs", /^NoNewPrivs:\s+1$/m.test(status)],
  ];
  return found.filter(([, isThere]) => isThere).map(([layer]) => layer);
}

function viewOf(pid: number | "self"): ProcessView {
  return {
    text: (name) => readFileSync(`/proc/${pid}/${name}`, "latin1"),
    link: (name) => readlinkSync(`/proc/${pid}/${name}`),
  };
}
