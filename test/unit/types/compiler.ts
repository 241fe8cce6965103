import path from 'node:path';
import ts from 'typescript';

const ROOT = path.resolve(import.meta.dirname, '../../..');

/** The path of a file in `test/types`, which need not exist. */
export function pathOf(name: string): string {
  return path.join(ROOT, 'test/types', name);
}

/**
 * One compiler for all files of all tests of types, as an editor has it. To read the library's types and those of its
 * dependencies takes longer than to check what the tests write against them, so one test file has all of these tests.
 */
export class Compiler {
  readonly service: ts.LanguageService;
  private readonly texts = new Map<string, { readonly text: string; readonly version: number }>();

  /** @param texts - the text of each file by path: in place of that on the disk, or of a file that is not there */
  constructor(texts: ReadonlyMap<string, string>) {
    const { config } = ts.readConfigFile(path.join(ROOT, 'tsconfig.json'), (file) =>
      ts.sys.readFile(file),
    );
    this.set(texts);
    const files = [...texts.keys()];
    const { options } = ts.parseJsonConfigFileContent(
      { ...config, include: [], files },
      ts.sys,
      ROOT,
    );
    const textOf = (file: string): string | undefined =>
      this.texts.get(file)?.text ?? ts.sys.readFile(file);
    this.service = ts.createLanguageService({
      getScriptFileNames: () => [...this.texts.keys()],
      getScriptVersion: (file) => String(this.texts.get(file)?.version ?? 0),
      getScriptSnapshot: (file) => {
        const text = textOf(file);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      getCurrentDirectory: () => ROOT,
      getCompilationSettings: () => options,
      getDefaultLibFileName: (of) => ts.getDefaultLibFilePath(of),
      fileExists: (file) => this.texts.has(file) || ts.sys.fileExists(file),
      readFile: textOf,
      // Comments are a third of what is read. The compiler needs those that can change what is an error.
      jsDocParsingMode: ts.JSDocParsingMode.ParseForTypeErrors,
    });
  }

  /** Adds files, or replaces their texts. */
  set(texts: ReadonlyMap<string, string>): void {
    for (const [file, text] of texts) {
      this.texts.set(file, { text, version: (this.texts.get(file)?.version ?? 0) + 1 });
    }
  }

  /** Of the texts as they are now. */
  program(): ts.Program {
    const program = this.service.getProgram();
    if (program === undefined) throw new Error('The compiler has no program.');
    return program;
  }
}
