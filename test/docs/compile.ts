import path from 'node:path';
import ts from 'typescript';
import { checkout, type CodeBlock } from './markdown.js';

/** Where the examples' names come from when they don't import them themselves; the first that has one gives it. */
const SOURCES = [
  'nestjs-cloacina',
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/config',
  '@nestjs/typeorm',
  'typeorm',
];

/**
 * What the compiler says against TypeScript blocks, each a module of its own: `docs/module.md:12: …`. The project's
 * own options apply, but for unused names; `prelude.d.ts` is there.
 *
 * @param isComplete - of blocks that have to import what they use
 */
export function compileBlocks(
  blocks: readonly CodeBlock[],
  isComplete: (block: CodeBlock) => boolean = () => false,
): string[] {
  const known = exportsOfSources();
  const files = new Map(
    blocks.map((block) => {
      const name = `${block.file.replaceAll(/[/.]/g, '-')}-${block.line}.ts`;
      // Imports and code share the first line, so that lines are those of the page.
      const imports = isComplete(block) ? '' : importsFor(block.code, known);
      const text = `${imports}${block.code}\nexport {};\n`;
      return [path.join(checkout, 'test/docs', name), { block, text }];
    }),
  );
  const program = createProgram(
    [...files.keys()],
    new Map([...files].map(([name, { text }]) => [name, text])),
  );
  return program
    .getSourceFiles()
    .filter(({ fileName }) => files.has(path.normalize(fileName)))
    .flatMap((file) => ts.getPreEmitDiagnostics(program, file))
    .map(({ messageText, file, start = 0 }) => {
      const message = ts.flattenDiagnosticMessageText(messageText, '\n');
      const block = file && files.get(path.normalize(file.fileName))?.block;
      if (file === undefined || block === undefined) return message;
      return `${block.file}:${block.line + file.getLineAndCharacterOfPosition(start).line}: ${message}`;
    });
}

/** The declarations of packages, which all programs share: to parse them takes longest. */
const parsed = new Map<string, ts.SourceFile>();

function createProgram(names: readonly string[], texts: ReadonlyMap<string, string>): ts.Program {
  const config = ts.readConfigFile(path.join(checkout, 'tsconfig.json'), (file) =>
    ts.sys.readFile(file),
  );
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, checkout);
  const all = { ...options, noUnusedLocals: false, noUnusedParameters: false };
  const host = ts.createCompilerHost(all);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => texts.has(path.normalize(file)) || fileExists(file);
  host.getSourceFile = (file, ...rest) => {
    const found = parsed.get(file) ?? getSourceFile.call(host, file, ...rest);
    if (found !== undefined && !texts.has(path.normalize(file))) parsed.set(file, found);
    return found;
  };
  host.readFile = (file) => texts.get(path.normalize(file)) ?? readFile(file);
  const declared = ['prelude.d.ts', 'nestjs-cls.d.ts', 'testcontainers.d.ts', 'vitest.d.ts'].map(
    (name) => path.join(checkout, 'test/docs', name),
  );
  return ts.createProgram([...names, ...declared], all, host);
}

interface Export {
  readonly from: string;
  readonly isType: boolean;
}

function exportsOfSources(): Map<string, Export> {
  const file = path.join(checkout, 'test/docs/sources.ts');
  const text = SOURCES.map((source, i) => `import * as source${i} from '${source}';`).join('\n');
  const program = createProgram([file], new Map([[file, text]]));
  const checker = program.getTypeChecker();
  // Of zod only `z`: it has an export for each type's name too.
  const known = new Map<string, Export>([['z', { from: 'zod', isType: false }]]);
  program.getSourceFile(file)?.forEachChild((statement) => {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier))
      return;
    const from = statement.moduleSpecifier.text;
    const module = checker.getSymbolAtLocation(statement.moduleSpecifier);
    if (module === undefined) throw new Error(`The compiler does not find ${from}.`);
    for (const exported of checker.getExportsOfModule(module)) {
      if (known.has(exported.name)) continue;
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const { flags } = isAlias ? checker.getAliasedSymbol(exported) : exported;
      known.set(exported.name, { from, isType: (flags & ts.SymbolFlags.Value) === 0 });
    }
  });
  return known;
}

/** Imports of what the code names and neither imports nor declares. */
function importsFor(code: string, known: ReadonlyMap<string, Export>): string {
  const used = new Set<string>();
  const own = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isMemberName(node)) used.add(node.text);
    if (isDeclaration(node) && node.name && ts.isIdentifier(node.name)) own.add(node.name.text);
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile('block.ts', code, ts.ScriptTarget.Latest, true));
  return [...used]
    .filter((name) => !own.has(name))
    .flatMap((name) => {
      const found = known.get(name);
      return found
        ? [`import { ${found.isType ? 'type ' : ''}${name} } from '${found.from}'; `]
        : [];
    })
    .join('');
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node)
  );
}

function isDeclaration(node: ts.Node): node is ts.Node & { readonly name?: ts.Node } {
  return (
    ts.isImportSpecifier(node) ||
    ts.isVariableDeclaration(node) ||
    ts.isBindingElement(node) ||
    ts.isParameter(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node)
  );
}
