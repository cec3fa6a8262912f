/**
 * The view of the world that bubblewrap gives a program which an agent runs: the system's libraries and programs, the
 * folders it was granted, a small /tmp in memory, and no other file, process, network or name of this machine.
 *
 *     /usr /bin /lib* ...   read-only, as here        /proc /dev   of its own, read-only
 *     a few files of /etc   certificates, linker      /tmp         its own, with a size
 *     granted folders       as granted                everything else is not there
 */
import { dirname } from "node:path";

/** A folder that a job may see. */
export interface JobFolder {
  /** Full path here. */
  readonly path: string;
  /** Full path inside; undefined for the same as here. */
  readonly at: string | undefined;
  readonly isWritable: boolean;
}

/** What a view is made of. */
export interface JobView {
  /** The program, and the program that sets its limits: seen wherever they lie. */
  readonly files: readonly string[];
  readonly folders: readonly JobFolder[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly isNetworked: boolean;
  readonly tmpBytesMax: number;
  /** The program gets a session of its own from somebody else. */
  readonly hasOwnSession: boolean;
  /** Links at the top of this machine's file system, such as /bin -> usr/bin. */
  readonly links: readonly (readonly [path: string, target: string])[];
  /** Folders at the top that are seen as they are. */
  readonly system: readonly string[];
  readonly statusFd: number;
  readonly blockFd: number;
  /** Undefined where there is no filter for this architecture. */
  readonly seccompFd: number | undefined;
}

/** What may lie at the top of a file system and holds programs and libraries; nothing of it belongs to a user. */
export const SYSTEM_FOLDERS: readonly string[] = [
  ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"],
  ["/nix/store", "/gnu/store"],
].flat();

/** Files that programs need to find their libraries and to know certificates and the time zone. No key is among them. */
const ETC: readonly string[] = [
  ["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"],
  ["/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/tls/openssl.cnf"],
  ["/etc/pki/ca-trust/extracted", "/etc/ca-certificates/extracted"],
].flat();
/** How names are looked up: only of use with a network. */
const ETC_NETWORK: readonly string[] = [
  ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"],
  ["/etc/services", "/etc/protocols", "/etc/gai.conf"],
].flat();

/** Its folders in memory that are its own: none is covered by a folder that it was granted. */
export function memoryFolders(folders: readonly JobFolder[]): readonly string[] {
  return ["/tmp", "/dev/shm"].filter((place) => !folders.some(({ path, at }) => (at ?? path) === place));
}

/** Options for bubblewrap's `--args`, which reads them from a descriptor: values of the environment are in no list of processes. */
export function jobView(view: JobView): readonly string[] {
  const etc = view.isNetworked ? [...ETC, ...ETC_NETWORK] : ETC;
  return [
    ["--unshare-all", ...(view.isNetworked ? ["--share-net"] : [])],
    // bubblewrap stays in the process group that it was started in, so that one signal finds it whatever it is doing.
    [
      "--die-with-parent",
      ...(view.hasOwnSession ? [] : ["--new-session"]),
      "--cap-drop",
      "ALL",
      "--clearenv",
      "--hostname",
      "job",
    ],
    view.links.flatMap(([path, target]) => ["--symlink", target, path]),
    view.system.flatMap((path) => ["--ro-bind", path, path]),
    etc.flatMap((path) => ["--ro-bind-try", path, path]),
    ["--perms", "1777", "--size", String(view.tmpBytesMax), "--tmpfs", "/tmp"],
    ["--proc", "/proc", "--dev", "/dev", "--size", String(view.tmpBytesMax), "--tmpfs", "/dev/shm"],
    // Read-only, so that no memory-backed folder can be filled, and nobody writes to the memory of process 1 of the view.
    ["--remount-ro", "/dev", "--remount-ro", "/proc"],
    view.folders.flatMap(({ path, at, isWritable }) => [isWritable ? "--bind" : "--ro-bind", path, at ?? path]),
    view.files.filter((file) => !isSeen(file, view)).flatMap((file) => ["--ro-bind", file, file]),
    ["--remount-ro", "/", "--chdir", view.cwd],
    Object.entries(view.env).flatMap(([name, value]) => ["--setenv", name, value]),
    view.seccompFd === undefined ? [] : ["--seccomp", String(view.seccompFd)],
    ["--json-status-fd", String(view.statusFd), "--block-fd", String(view.blockFd)],
  ].flat();
}

/** Whether a file is in the view without being named. */
function isSeen(file: string, { system, links, folders }: JobView): boolean {
  const tops = [
    ...system,
    ...links.map(([path]) => path),
    ...folders.map(({ path, at }) => (at === undefined ? path : "")),
  ];
  return tops.some((top) => top !== "" && dirname(file).concat("/").startsWith(`${top}/`));
}
