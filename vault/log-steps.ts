/**
 * File operations that tell what they are about to do and what they have done: the moments at which fault tests end a
 * process. In production nobody listens, and the plain operations are used.
 */
import type { LogFile, LogFiles } from "./log-files.ts";

/** `files`, with `onStep` told `log.write`, `log.sync`, `log.create`, ... before and `log.write.done`, ... after each. */
export function steppedFiles(files: LogFiles, onStep: (step: string) => void): LogFiles {
  const around = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    onStep(name);
    const result = await work();
    onStep(`${name}.done`);
    return result;
  };
  const steppedFile = (file: LogFile): LogFile => ({
    write: (bytes, position) => around("log.write", () => file.write(bytes, position)),
    read: (into, position) => file.read(into, position),
    sync: () => around("log.sync", () => file.sync()),
    close: () => file.close(),
  });
  return {
    makeFolder: (path) => around("log.folder", () => files.makeFolder(path)),
    list: (folder) => files.list(folder),
    size: (path) => files.size(path),
    open: async (path, mode) =>
      steppedFile(
        mode === "create" ? await around("log.create", () => files.open(path, mode)) : await files.open(path, mode),
      ),
    rename: (from, to) => around("log.rename", () => files.rename(from, to)),
    remove: (path) => around("log.remove", () => files.remove(path)),
    freeBytes: (path) => files.freeBytes(path),
    syncFolder: (path) => around("log.syncFolder", () => files.syncFolder(path)),
  };
}
