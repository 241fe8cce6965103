import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { codeBlocks, pages, type CodeBlock } from '../../docs/markdown.js';
import { Compiler, pathOf } from './compiler.js';
import { DocBlocks } from './doc-blocks.js';
import { completionsIn, IN_THE_EDITOR } from './in-the-editor.js';
import { largeBuilder } from './large-builder.js';

const FIXTURES = readdirSync(pathOf('.'));
const EDITED = pathOf('in-the-editor.ts');
const [SMALL, LARGE] = [pathOf('small-builder.ts'), pathOf('large-builder.ts')];

/** `// @ts-expect-error TS2345 …`: the errors of the next line that is not a comment, in any order. */
const EXPECTATION = /\/\/ @ts-expect-error((?: TS\d+)+)/;

function expectedErrors(source: string): string[] {
  const lines = source.split('\n');
  return lines.flatMap((line, index) => {
    const codes = EXPECTATION.exec(line)?.[1]?.trim().split(' ') ?? [];
    return codes.map((code) => `${index + 2}: ${code}`);
  });
}

const sources = new Map(FIXTURES.map((name) => [name, readFileSync(pathOf(name), 'utf8')]));

const blocks = pages()
  .flatMap((file) => codeBlocks(file))
  .filter(({ language }) => language === 'ts');
const mistaken: CodeBlock = {
  file: 'mistaken.md',
  line: 10,
  language: 'ts',
  code: `await runner.start('x', {}, { dealy: '1s' });\nawait runner.lits();`,
};
// The first of the README is a whole main.ts.
const example = blocks.find(({ file }) => file === 'README.md');
const docs = new DocBlocks([...blocks, mistaken], (block) => block === example);

const compiler = new Compiler(
  new Map([
    // The same length, so that positions stay right.
    ...[...sources].map(
      ([name, text]) =>
        [pathOf(name), text.replaceAll('@ts-expect-error', '-ts-expect-error')] as const,
    ),
    [EDITED, IN_THE_EDITOR],
    [SMALL, largeBuilder(1)],
    [LARGE, largeBuilder(51)],
    ...docs.texts(),
  ]),
);
docs.addImports(compiler);
const program = compiler.program();

/** The errors of a file, and how many types the compiler has instantiated to find them. */
function check(file: string): { errors: readonly ts.Diagnostic[]; instantiations: number } {
  const before = program.getInstantiationCount();
  const errors = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
  return { errors, instantiations: program.getInstantiationCount() - before };
}

describe('A builder of many tasks', () => {
  it('costs the compiler little: 8,000 instantiations a task', () => {
    const small = check(SMALL);
    const large = check(LARGE);
    const errors = [...small.errors, ...large.errors];
    expect(
      errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    ).toEqual([]);
    expect(large.instantiations).toBeGreaterThan(50 * 100);
    expect(large.instantiations).toBeLessThan(50 * 8_000);
  });
});

describe('the types of definitions', () => {
  it.each(FIXTURES)('refuse exactly what %s says', (fixture) => {
    const expected = expectedErrors(sources.get(fixture) ?? '');
    expect(expected.length).toBeGreaterThan(5);
    const { errors } = check(pathOf(fixture));
    const source = program.getSourceFile(pathOf(fixture))!;
    const found = errors.map(({ start, code }) => {
      const line = source.getLineAndCharacterOfPosition(start ?? 0).line + 1;
      return `${line}: TS${code}`;
    });
    expect([...new Set(found)].toSorted()).toEqual(expected.toSorted());
  });
});

describe('An editor', () => {
  it('suggests the names of tasks, keys and values', () => {
    const tasks = ['charge', 'reserve', 'dependency', 'secondDependency', 'failed', 'key'];
    const suggested = completionsIn(EDITED, compiler.service).map((names) => new Set(names));
    expect(suggested).toEqual(
      [
        tasks,
        tasks,
        ['charge'],
        ['orderId', 'state'],
        ['price', 'reserve'],
        ['price'],
        ['total', 'currency'],
        ['shelf'],
        ['new', 'paid'],
        ['state', 'y'],
      ].map((names) => new Set(names)),
    );
  });
});

describe('The TypeScript of the pages', () => {
  let problems: string[] = [];
  beforeAll(() => {
    problems = docs.problems(program);
  });

  it('begins with an example that imports everything that it uses', () => {
    expect(example?.code).toMatch(/^import 'reflect-metadata';/);
  });

  it('compiles', () => {
    expect(blocks.length).toBeGreaterThan(25);
    expect(problems.filter((problem) => !problem.startsWith('mistaken.md'))).toEqual([]);
  });

  it('would not compile with a mistake in it', () => {
    expect(problems.filter((problem) => problem.startsWith('mistaken.md'))).toEqual([
      expect.stringMatching(/^mistaken\.md:10: .* 'dealy' does not exist/),
      expect.stringMatching(/^mistaken\.md:11: Property 'lits' does not exist/),
    ]);
  });
});
