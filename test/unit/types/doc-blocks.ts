import path from 'node:path';
import ts from 'typescript';
import { checkout, type CodeBlock } from '../../docs/markdown.js';
import type { Compiler } from './compiler.js';

/** Where the examples' names come from when they don't import them themselves; the first that has one gives it. */
const SOURCES = [
  'nestjs-cloacina',
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/config',
  '@nestjs/typeorm',
  'typeorm',
];

const placeOf = (name: string): string => path.join(checkout, 'test/docs', name);
const SOURCES_FILE = placeOf('sources.ts');
/** Of what the examples take for granted. */
const DECLARED = ['prelude.d.ts', 'nestjs-cls.d.ts', 'testcontainers.d.ts', 'vitest.d.ts'].map(placeOf); // prettier-ignore

/** TypeScript blocks of pages, each a module of its own. The project's options apply, but for unused names. */
export class DocBlocks {
  private readonly files: ReadonlyMap<string, CodeBlock>;

  /** @param isComplete - of blocks that have to import what they use */
  constructor(
    blocks: readonly CodeBlock[],
    private readonly isComplete: (block: CodeBlock) => boolean = () => false,
  ) {
    this.files = new Map(
      blocks.map((block) => [
        placeOf(`${block.file.replaceAll(/[/.]/g, '-')}-${block.line}.ts`),
        block,
      ]),
    );
  }

  /** What the compiler reads first: the blocks as they are, and what their imports come from. */
  texts(): Map<string, string> {
    const sources = SOURCES.map((source, i) => `import * as source${i} from '${source}';`);
    return new Map([
      ...DECLARED.map((file) => [file, ts.sys.readFile(file) ?? ''] as const),
      [SOURCES_FILE, sources.join('\n')],
      ...[...this.files].map(([file, { code }]) => [file, moduleOf(code)] as const),
    ]);
  }

  /** Adds to the blocks what they name and neither import nor declare. */
  addImports(compiler: Compiler): void {
    const known = exportsOfSources(compiler.program());
    const texts = [...this.files].map(([file, block]) => {
      // Imports and code share the first line, so that lines are those of the page.
      const imports = this.isComplete(block) ? '' : importsFor(block.code, known);
      return [file, moduleOf(imports + block.code)] as const;
    });
    compiler.set(new Map(texts));
  }

  /** What the compiler says against the blocks: `docs/module.md:12: …`. */
  problems(program: ts.Program): string[] {
    return program
      .getSourceFiles()
      .filter(({ fileName }) => this.files.has(path.normalize(fileName)))
      .flatMap((file) => ts.getPreEmitDiagnostics(program, file))
      .filter(({ reportsUnnecessary }) => reportsUnnecessary === undefined)
      .map(({ messageText, file, start = 0 }) => {
        const message = ts.flattenDiagnosticMessageText(messageText, '\n');
        const block = file && this.files.get(path.normalize(file.fileName));
        if (file === undefined || block === undefined) return message;
        return `${block.file}:${block.line + file.getLineAndCharacterOfPosition(start).line}: ${message}`;
      });
  }
}

function moduleOf(code: string): string {
  return `${code}\nexport {};\n`;
}

interface Export {
  readonly from: string;
  readonly isType: boolean;
}

function exportsOfSources(program: ts.Program): Map<string, Export> {
  const checker = program.getTypeChecker();
  // Of zod only `z`: it has an export for each type's name too.
  const known = new Map<string, Export>([['z', { from: 'zod', isType: false }]]);
  program.getSourceFile(SOURCES_FILE)?.forEachChild((statement) => {
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
