import path from 'node:path';
import ts from 'typescript';

const ROOT = path.resolve(import.meta.dirname, '../../..');

/** The path of a file in `test/types`, which need not exist. */
export function pathOf(name: string): string {
  return path.join(ROOT, 'test/types', name);
}

/**
 * One compiler for all files of a test, as an editor has it. To read the library's types and those of its dependencies takes
 * longer than to check what a test writes against them.
 *
 * @param texts - the text of each file by path: in place of that on the disk, or of a file that is not there
 */
export function compilerOf(texts: ReadonlyMap<string, string>): ts.LanguageService {
  const { config } = ts.readConfigFile(path.join(ROOT, 'tsconfig.json'), (file) =>
    ts.sys.readFile(file),
  );
  const files = [...texts.keys()];
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files },
    ts.sys,
    ROOT,
  );
  const textOf = (file: string): string | undefined => texts.get(file) ?? ts.sys.readFile(file);
  return ts.createLanguageService({
    getScriptFileNames: () => files,
    getScriptVersion: () => '1',
    getScriptSnapshot: (file) => {
      const text = textOf(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getCompilationSettings: () => options,
    getDefaultLibFileName: (of) => ts.getDefaultLibFilePath(of),
    fileExists: (file) => texts.has(file) || ts.sys.fileExists(file),
    readFile: textOf,
  });
}
