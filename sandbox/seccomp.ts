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

/** Architectures the tables cover, as named by `process.arch`. */
export type SeccompArch = "x64" | "arm64";

/** Names with their numbers on [x64, arm64]; -1 where the architecture does not have the call. */
const DENIED: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
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
const ABSENT: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
};

const CLONE: readonly [number, number] = [56, 220];
const MMAP: readonly [number, number] = [9, 222];
const MPROTECT: readonly [number, number] = [10, 226];
const PKEY_MPROTECT: readonly [number, number] = [329, 288];

const AUDIT_ARCH: readonly [x64: number, arm64: number] = [0xc000_003e, 0xc000_00b7];
/** x32 calls are x86-64 calls with this bit. */
const X32_BIT = 0x4000_0000;
const CLONE_THREAD = 0x0001_0000;
const PROT_WRITE = 2;
const PROT_EXEC = 4;

// struct seccomp_data: nr, arch, instruction_pointer, args[6]; the low half of an argument comes first.
const OFFSET_NR = 0;
const OFFSET_ARCH = 4;
const offsetArg = (index: number): number => 16 + 8 * index;

const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const EPERM = 0x0005_0001; // SECCOMP_RET_ERRNO | 1
const ENOSYS = 0x0005_0026; // SECCOMP_RET_ERRNO | 38

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

/** Whether there are tables for this architecture. */
export function hasSeccompTables(arch: string): arch is SeccompArch {
  return arch === "x64" || arch === "arm64";
}

/** The filter for one architecture, in the byte order that bubblewrap's `--seccomp` reads. */
export function seccompProgram(options: { readonly arch: SeccompArch; readonly isJitless: boolean }): Buffer {
  const column = options.arch === "x64" ? 0 : 1;
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, OFFSET_ARCH],
    [JUMP_EQUAL, 1, 0, AUDIT_ARCH[column]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, OFFSET_NR],
  ];
  if (options.arch === "x64") program.push([JUMP_AT_LEAST, 0, 1, X32_BIT], [RETURN, 0, 0, KILL_PROCESS]);
  for (const numbers of Object.values(DENIED)) program.push(...refuse(numbers[column], EPERM));
  for (const numbers of Object.values(ABSENT)) program.push(...refuse(numbers[column], ENOSYS));
  program.push(...allowOnlyThreads(CLONE[column]));
  if (options.isJitless) {
    program.push(...refuseProtection(MMAP[column], PROT_WRITE | PROT_EXEC));
    program.push(
      ...refuseProtection(MPROTECT[column], PROT_EXEC),
      ...refuseProtection(PKEY_MPROTECT[column], PROT_EXEC),
    );
  }
  program.push([RETURN, 0, 0, ALLOW]);
  return encode(program);
}

function refuse(number: number, verdict: number): readonly Instruction[] {
  if (number < 0) return [];
  return [
    [JUMP_EQUAL, 0, 1, number],
    [RETURN, 0, 0, verdict],
  ];
}

/** `clone` makes threads and processes; the flag in its first argument tells which. */
function allowOnlyThreads(number: number): readonly Instruction[] {
  return [
    [JUMP_EQUAL, 0, 5, number],
    [LOAD_WORD, 0, 0, offsetArg(0)],
    [AND, 0, 0, CLONE_THREAD],
    [JUMP_EQUAL, 1, 0, CLONE_THREAD],
    [RETURN, 0, 0, EPERM],
    [RETURN, 0, 0, ALLOW],
  ];
}

/** Refuses a mapping call whose protection (its third argument) has all of `bits`. Leaves the number loaded. */
function refuseProtection(number: number, bits: number): readonly Instruction[] {
  return [
    [JUMP_EQUAL, 0, 5, number],
    [LOAD_WORD, 0, 0, offsetArg(2)],
    [AND, 0, 0, bits],
    [JUMP_EQUAL, 0, 1, bits],
    [RETURN, 0, 0, EPERM],
    [LOAD_WORD, 0, 0, OFFSET_NR],
  ];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  }
  return bytes;
}
