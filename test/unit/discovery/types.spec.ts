import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname, '../../..');
const FIXTURES = readdirSync(join(ROOT, 'test/types'));
const pathOf = (fixture: string) => join(ROOT, 'test/types', fixture);

/** `// @ts-expect-error TS2345 …`: the errors of the next line that is not a comment, in any order. */
const EXPECTATION = /\/\/ @ts-expect-error((?: TS\d+)+)/;

function expectedErrors(source: string): string[] {
  const lines = source.split('\n');
  return lines.flatMap((line, index) => {
    const codes = EXPECTATION.exec(line)?.[1]?.trim().split(' ') ?? [];
    return codes.map((code) => `${index + 2}: ${code}`);
  });
}

/** What the compiler says of each fixture when it expects no error. */
function compile(): Map<string, string[]> {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: FIXTURES.map(pathOf) },
    ts.sys,
    ROOT,
  );
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  // The same length, so that positions stay right.
  host.readFile = (file) => readFile(file)?.replaceAll('@ts-expect-error', '-ts-expect-error');
  const program = ts.createProgram(FIXTURES.map(pathOf), options, host);
  return new Map(
    FIXTURES.map((fixture) => {
      const source = program.getSourceFile(pathOf(fixture));
      const errors = ts.getPreEmitDiagnostics(program, source).map(({ start, code }) => {
        const line = source!.getLineAndCharacterOfPosition(start ?? 0).line + 1;
        return `${line}: TS${code}`;
      });
      return [fixture, [...new Set(errors)]];
    }),
  );
}

describe('the types of definitions', () => {
  const compiled = compile();

  it.each(FIXTURES)('refuse exactly what %s says', (fixture) => {
    const expected = expectedErrors(readFileSync(pathOf(fixture), 'utf8'));
    expect(expected.length).toBeGreaterThan(5);
    expect(compiled.get(fixture)?.toSorted()).toEqual(expected.toSorted());
  });
});
