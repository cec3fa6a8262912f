/**
 * Classic BPF programs for seccomp, as bytes: what the filters of a cell and of a job are written with. A filter sees one
 * system call at a time, as its number, its architecture and its arguments, and returns a verdict.
 */

/** One instruction of the machine in linux/include/uapi/linux/bpf_common.h. */
export type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

/** The operations that are used here. */
export const BPF = {
  /** BPF_LD | BPF_W | BPF_ABS */
  loadWord: 0x20,
  /** BPF_JMP | BPF_JEQ | BPF_K */
  jumpEqual: 0x15,
  /** BPF_JMP | BPF_JGE | BPF_K */
  jumpAtLeast: 0x35,
  /** BPF_ALU | BPF_AND | BPF_K */
  and: 0x54,
  /** BPF_RET | BPF_K */
  return: 0x06,
} as const;

/** What becomes of a call: SECCOMP_RET_* with the error number where there is one. */
export const VERDICT = {
  allow: 0x7fff_0000,
  killProcess: 0x8000_0000,
  /** EPERM: not allowed. */
  refused: 0x0005_0001,
  /** ENOSYS: callers fall back to an older call. */
  absent: 0x0005_0026,
  /** EAFNOSUPPORT: no such kind of socket. */
  familyUnknown: 0x0005_0061,
} as const;

// struct seccomp_data: nr, arch, instruction_pointer, args[6]; the low half of an argument comes first.
const OFFSET_NR = 0;
const OFFSET_ARCH = 4;
/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. */
const AUDIT_ARCH: readonly [x64: number, arm64: number] = [0xc000_003e, 0xc000_00b7];
/** x32 calls are x86-64 calls with this bit. */
const X32_BIT = 0x4000_0000;

/** Where the low half of an argument lies in what the filter sees. */
export function offsetArg(index: number): number {
  return 16 + 8 * index;
}

/** Loads the number of the call: how a filter begins, and how it goes on after it looked at an argument. */
export const LOAD_NUMBER: Instruction = [BPF.loadWord, 0, 0, OFFSET_NR];

/** Kills what calls through another table than the architecture's own, whose numbers mean something else. */
export function ownTableOnly(arch: "x64" | "arm64"): readonly Instruction[] {
  const head: readonly Instruction[] = [
    [BPF.loadWord, 0, 0, OFFSET_ARCH],
    [BPF.jumpEqual, 1, 0, AUDIT_ARCH[arch === "x64" ? 0 : 1]],
    [BPF.return, 0, 0, VERDICT.killProcess],
    LOAD_NUMBER,
  ];
  if (arch === "arm64") return head;
  return [...head, [BPF.jumpAtLeast, 0, 1, X32_BIT], [BPF.return, 0, 0, VERDICT.killProcess]];
}

/** A verdict for one call; nothing where the architecture does not have it (-1). */
export function judge(number: number, verdict: number): readonly Instruction[] {
  if (number < 0) return [];
  return [
    [BPF.jumpEqual, 0, 1, number],
    [BPF.return, 0, 0, verdict],
  ];
}

/** The bytes, in the order that bubblewrap's `--seccomp` reads them. */
export function encodeProgram(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  }
  return bytes;
}
