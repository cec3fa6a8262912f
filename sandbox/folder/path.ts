/**
 * Paths below a granted folder, as agents say them: "notes/today.txt". Decided by their text alone, on any system the same.
 * What a text cannot say (a link on the way, a device in its place) is found when the path is gone, step by step.
 */

/** What a grant says about names. */
export interface NameRules {
  /** Folders within folders, the file included. */
  readonly depthMax: number;
  /** Names that may be written though they are like those that run something. */
  readonly allowNames: readonly string[];
}

/** Why a path is refused. "denied": a name that only a grant opens. */
export interface PathFault {
  readonly code: "invalid" | "denied";
  readonly message: string;
}

const PATH_BYTES_MAX = 4_096; // PATH_MAX of Linux
const NAME_BYTES_MAX = 255; // NAME_MAX of Linux

/**
 * Names that a program somewhere runs, obeys or takes for its configuration, beside all that begin with a dot (.git, .ssh,
 * .env, .bashrc, .github, .vscode, .npmrc, .mcp.json …).
 */
const OBEYED: ReadonlySet<string> = new Set(
  [
    ["package.json", "npm-shrinkwrap.json", "package-lock.json", "deno.json", "deno.jsonc", "bunfig.toml"],
    ["makefile", "gnumakefile", "justfile", "rakefile", "gemfile", "vagrantfile", "dockerfile", "procfile"],
    ["jenkinsfile", "azure-pipelines.yml", "bitbucket-pipelines.yml", "appveyor.yml", "compose.yml", "compose.yaml"],
    ["docker-compose.yml", "docker-compose.yaml", "conftest.py", "setup.py", "sitecustomize.py", "usercustomize.py"],
    ["pyproject.toml", "build.rs", "authorized_keys", "crontab", "autorun.inf", "desktop.ini"],
    ["agents.md", "claude.md", "gemini.md", "mcp.json"],
  ].flat(),
);

/** The names on the way to a path; none for the folder itself. Or why it is none. */
export function pathNames(path: string, { depthMax }: Pick<NameRules, "depthMax">): readonly string[] | PathFault {
  if (path === "" || path === ".") return [];
  const wrong = wrongInPath(path);
  if (wrong !== undefined) return { code: "invalid", message: wrong };
  const names = path.split("/");
  if (names.length > depthMax) return { code: "invalid", message: `more than ${depthMax} names (depthMax)` };
  for (const name of names) {
    const fault = wrongInName(name);
    if (fault !== undefined) return { code: "invalid", message: fault };
  }
  return names;
}

/** Why nothing may be written under one of these names; undefined where it may. */
export function writeFault(
  names: readonly string[],
  { allowNames }: Pick<NameRules, "allowNames">,
): PathFault | undefined {
  const obeyed = names.find((name) => isObeyed(name) && !allowNames.includes(name));
  if (obeyed === undefined) return undefined;
  const message = `"${obeyed}" is a name that programs run or obey; a grant that means it lists it in allowNames`;
  return { code: "denied", message };
}

function wrongInPath(path: string): string | undefined {
  if (!path.isWellFormed()) return "it is no text";
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return `longer than ${PATH_BYTES_MAX} bytes`;
  if (path.startsWith("/")) return 'it begins with "/": paths are below the folder';
  if (path.includes("\\")) return 'it has a "\\" in it';
  if (/^[A-Za-z]:/.test(path)) return "it begins with a drive";
  return undefined;
}

function wrongInName(name: string): string | undefined {
  if (name === "") return "it has an empty name in it";
  if (name === "." || name === "..") return `it has "${name}" in it`;
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `a name is longer than ${NAME_BYTES_MAX} bytes`;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return "it has a control character in it";
  if (name.normalize("NFC") !== name) return "a name is not in its composed form (NFC)";
  if (/[ .]$/.test(name)) return "a name ends with a space or a dot";
  return process.platform === "win32" && /[:*?"<>|]/.test(name)
    ? "a name has a character that Windows reserves"
    : undefined;
}

/** Compared as the most forgiving file system does: without case, look-alikes and characters that nobody sees. */
function isObeyed(name: string): boolean {
  const bare = name
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "")
    .normalize("NFKC")
    .toLowerCase();
  return bare.startsWith(".") || OBEYED.has(bare);
}
