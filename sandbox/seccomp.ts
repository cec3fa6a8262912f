/**
 * The system calls a cell may not make, as a classic BPF program (bytes in, no native code), for x86-64 and arm64.
 *
 * A cell needs memory, threads, its inherited descriptors and clocks. It needs no socket, no other process, no mount,
 * no tracing. What is refused fails with EPERM, so that a library that merely tries goes on; `clone3` and io_uring fail
 * with ENOSYS, so that their callers fall back to what is filtered by argument. `execve` stays, because bubblewrap loads
 * the filter before its final exec; with one binary in the root and no fork it leads nowhere.
 *
 * Numbers: linux/arch/x86/entry/syscalls/syscall_64.tbl and linux/include/uapi/asm-generic/unistd.h.
 *
 * Invariants:
 * 1. A call made through another architecture's table (or x32) kills the process: its numbers mean something else.
 * 2. In the jitless variant no memory is ever writable and executable, and none becomes executable.
 */
import { BPF, encodeProgram, judge, LOAD_NUMBER, offsetArg, ownTableOnly, VERDICT, type Instruction } from "./bpf.ts";

/** Architectures the tables cover, as named by `process.arch`. */
export type SeccompArch = "x64" | "arm64";

/** What a cell may not call, by name, with the numbers on [x64, arm64]; -1 where the architecture does not have the call. */
export const DENIED: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  socket: [41, 198],
  socketpair: [53, 199],
  connect: [42, 203],
  bind: [49, 200],
  listen: [50, 201],
  accept: [43, 202],
  accept4: [288, 242],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  pidfd_send_signal: [424, 424],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  perf_event_open: [298, 241],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  unshare: [272, 97],
  setns: [308, 268],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_by_handle_at: [304, 265],
  name_to_handle_at: [303, 264],
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  execveat: [322, 281],
  fork: [57, -1],
  vfork: [58, -1],
  personality: [135, 92],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  quotactl: [179, 60],
  ioperm: [173, -1],
  iopl: [172, -1],
  move_pages: [279, 239],
  mbind: [237, 235],
  migrate_pages: [256, 238],
  vmsplice: [278, 75],
  shmget: [29, 194],
  semget: [64, 190],
  msgget: [68, 186],
  mq_open: [240, 180],
  setuid: [105, 146],
  setgid: [106, 144],
  setresuid: [117, 147],
  setresgid: [119, 149],
};

/** Calls whose absence their callers know how to live with. */
export const ABSENT: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
};

/** Makes threads and processes, on [x64, arm64]. */
export const CLONE: readonly [number, number] = [56, 220];
const MMAP: readonly [number, number] = [9, 222];
const MPROTECT: readonly [number, number] = [10, 226];
const PKEY_MPROTECT: readonly [number, number] = [329, 288];

const CLONE_THREAD = 0x0001_0000;
const PROT_WRITE = 2;
const PROT_EXEC = 4;

/** Whether there are tables for this architecture. */
export function hasSeccompTables(arch: string): arch is SeccompArch {
  return arch === "x64" || arch === "arm64";
}

/** The filter for one architecture, in the byte order that bubblewrap's `--seccomp` reads. */
export function seccompProgram(options: { readonly arch: SeccompArch; readonly isJitless: boolean }): Buffer {
  const column = options.arch === "x64" ? 0 : 1;
  const program: Instruction[] = [...ownTableOnly(options.arch)];
  for (const numbers of Object.values(DENIED)) program.push(...judge(numbers[column], VERDICT.refused));
  for (const numbers of Object.values(ABSENT)) program.push(...judge(numbers[column], VERDICT.absent));
  program.push(...allowOnlyThreads(CLONE[column]));
  if (options.isJitless) {
    program.push(...refuseProtection(MMAP[column], PROT_WRITE | PROT_EXEC));
    program.push(
      ...refuseProtection(MPROTECT[column], PROT_EXEC),
      ...refuseProtection(PKEY_MPROTECT[column], PROT_EXEC),
    );
  }
  program.push([BPF.return, 0, 0, VERDICT.allow]);
  return encodeProgram(program);
}

/** `clone` makes threads and processes; the flag in its first argument tells which. */
function allowOnlyThreads(number: number): readonly Instruction[] {
  return [
    [BPF.jumpEqual, 0, 5, number],
    [BPF.loadWord, 0, 0, offsetArg(0)],
    [BPF.and, 0, 0, CLONE_THREAD],
    [BPF.jumpEqual, 1, 0, CLONE_THREAD],
    [BPF.return, 0, 0, VERDICT.refused],
    [BPF.return, 0, 0, VERDICT.allow],
  ];
}

/** Refuses a mapping call whose protection (its third argument) has all of `bits`. Leaves the number loaded. */
function refuseProtection(number: number, bits: number): readonly Instruction[] {
  return [
    [BPF.jumpEqual, 0, 5, number],
    [BPF.loadWord, 0, 0, offsetArg(2)],
    [BPF.and, 0, 0, bits],
    [BPF.jumpEqual, 0, 1, bits],
    [BPF.return, 0, 0, VERDICT.refused],
    LOAD_NUMBER,
  ];
}
