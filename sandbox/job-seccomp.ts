/**
 * The system calls that a program which an agent runs may not make. It is an ordinary program, so it may start others and
 * open sockets (there is no network behind them); what it may not do is look into other processes, mount, load code into
 * the kernel, or hold memory that no limit counts.
 *
 * Invariants:
 * 1. Sockets are of the four families that programs need. The others reach past a network namespace (AF_VSOCK: the host of
 *    a virtual machine) or into parts of the kernel that nobody needs here.
 * 2. No new namespace: within one of its own a program would have powers that the kernel thinks are harmless there.
 * 3. No file becomes one that others run as its owner: in a granted folder it would be one outside, too, of the user that we are.
 */
import { BPF, encodeProgram, judge, LOAD_NUMBER, offsetArg, ownTableOnly, VERDICT, type Instruction } from "./bpf.ts";
import { ABSENT, CLONE, DENIED, type SeccompArch } from "./seccomp.ts";

/** What is denied to a cell and an ordinary program needs: sockets, children, and being who it is. */
const NEEDED: ReadonlySet<string> = new Set(
  [
    ["socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"],
    ["fork", "vfork", "execveat", "pidfd_open", "pidfd_send_signal"],
    ["setuid", "setgid", "setresuid", "setresgid"],
  ].flat(),
);
/** Memory that counts for no process, and whose absence programs live with: they make a file instead. */
const UNCOUNTED = "memfd_create";

const SOCKET: readonly [x64: number, arm64: number] = [41, 198];
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (which programs ask for their own interfaces). */
const FAMILIES: readonly number[] = [1, 2, 10, 16];
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e02_0000;

/** S_ISUID | S_ISGID: whoever runs the file is its owner for as long. */
const RUN_AS_OWNER = 0o6000;
/** Calls that give a file its mode, and which of their arguments it is. */
const MODES: readonly (readonly [numbers: readonly [x64: number, arm64: number], arg: number])[] = [
  [[90, -1], 1], // chmod
  [[91, 52], 1], // fchmod
  [[268, 53], 2], // fchmodat
  [[452, 452], 2], // fchmodat2
  [[85, -1], 1], // creat
  [[133, -1], 1], // mknod
  [[259, 33], 2], // mknodat
];
/** Those that give it one only where they may make it, and where they say so: in their flags, the argument before the mode. */
const OPENS: readonly (readonly [numbers: readonly [x64: number, arm64: number], arg: number])[] = [
  [[2, -1], 2], // open
  [[257, 56], 3], // openat
];
/** O_CREAT, and the bit of O_TMPFILE that is its own. */
const MAKES_FILE = 0o20_000_100;
/** It has its mode where a filter cannot look. Who calls it knows how to live without it: it is younger than most kernels. */
const OPENAT2: readonly [x64: number, arm64: number] = [437, 437];

/** The filter for one architecture, as bubblewrap's `--seccomp` reads it. */
export function jobSeccompProgram(arch: SeccompArch): Buffer {
  const column = arch === "x64" ? 0 : 1;
  const denied = Object.entries(DENIED).filter(([name]) => !NEEDED.has(name));
  return encodeProgram([
    ...ownTableOnly(arch),
    ...denied.flatMap(([name, numbers]) =>
      judge(numbers[column], name === UNCOUNTED ? VERDICT.absent : VERDICT.refused),
    ),
    ...Object.values(ABSENT).flatMap((numbers) => judge(numbers[column], VERDICT.absent)),
    ...withoutNamespaces(CLONE[column]),
    ...ofKnownFamilies(SOCKET[column]),
    ...MODES.flatMap(([numbers, arg]) => withoutOwnerMode(numbers[column], arg)),
    ...OPENS.flatMap(([numbers, arg]) => withoutOwnerModeOfNew(numbers[column], arg)),
    ...judge(OPENAT2[column], VERDICT.absent),
    [BPF.return, 0, 0, VERDICT.allow],
  ]);
}

function withoutNamespaces(number: number): readonly Instruction[] {
  return [
    [BPF.jumpEqual, 0, 5, number],
    [BPF.loadWord, 0, 0, offsetArg(0)],
    [BPF.and, 0, 0, NEW_NAMESPACES],
    [BPF.jumpEqual, 1, 0, 0],
    [BPF.return, 0, 0, VERDICT.refused],
    LOAD_NUMBER,
  ];
}

function ofKnownFamilies(number: number): readonly Instruction[] {
  const tests = FAMILIES.map((family, index): Instruction => [BPF.jumpEqual, FAMILIES.length - index, 0, family]);
  return [
    [BPF.jumpEqual, 0, FAMILIES.length + 2, number],
    [BPF.loadWord, 0, 0, offsetArg(0)],
    ...tests,
    [BPF.return, 0, 0, VERDICT.familyUnknown],
    LOAD_NUMBER,
  ];
}

function withoutOwnerMode(number: number, modeArg: number): readonly Instruction[] {
  if (number < 0) return [];
  return [
    [BPF.jumpEqual, 0, 5, number],
    [BPF.loadWord, 0, 0, offsetArg(modeArg)],
    [BPF.and, 0, 0, RUN_AS_OWNER],
    [BPF.jumpEqual, 1, 0, 0],
    [BPF.return, 0, 0, VERDICT.refused],
    LOAD_NUMBER,
  ];
}

/** Where nothing is made, nobody looks at the mode, and anything may stand in its place. */
function withoutOwnerModeOfNew(number: number, modeArg: number): readonly Instruction[] {
  if (number < 0) return [];
  return [
    [BPF.jumpEqual, 0, 8, number],
    [BPF.loadWord, 0, 0, offsetArg(modeArg - 1)],
    [BPF.and, 0, 0, MAKES_FILE],
    [BPF.jumpEqual, 4, 0, 0],
    [BPF.loadWord, 0, 0, offsetArg(modeArg)],
    [BPF.and, 0, 0, RUN_AS_OWNER],
    [BPF.jumpEqual, 1, 0, 0],
    [BPF.return, 0, 0, VERDICT.refused],
    LOAD_NUMBER,
  ];
}
