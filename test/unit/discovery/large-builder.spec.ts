import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname, '../../..');
const FILE = resolve(ROOT, 'test/types/large-builder.ts');

/** A graph whose tasks depend on up to four earlier ones, read a key of one, and add three keys each. */
function sourceOf(tasks: number): string {
  const lines = Array.from({ length: tasks }, (_, i) => {
    const dependencies = [i - 1, i - 2, i - 5, i - 6].filter((no) => no >= 0);
    const names = dependencies.map((no) => `'t${no}'`).join(', ');
    const when = i % 7 === 6 ? `, when: any(taskFailed('t${i - 1}'), always())` : '';
    const read = i === 0 ? 'context.attempt' : `context.get('k${i - 1}')`;
    return (
      `.task('t${i}', { dependsOn: [${names}]${when} }, async (context) => ({` +
      ` k${i}: ${i}, o${i}: { at: new Date(), read: ${read} }, shared: ${i} }))`
    );
  });
  return `
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { always, any, taskFailed } from '../../lib/workflow/trigger-rule.js';
void [always, any, taskFailed];
export const workflow = defineWorkflow<{ orderId: number }>('large')${lines.join('\n')}.build();
`;
}

/** Checks one file, and counts the types that the compiler instantiates for it. */
function check(source: string): { errors: string[]; instantiations: number } {
  const { config } = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (file) => (file === FILE ? source : readFile.call(host, file));
  host.fileExists = (file) => file === FILE || fileExists.call(host, file);
  const program = ts.createProgram([FILE], options, host);
  const errors = program.getSemanticDiagnostics(program.getSourceFile(FILE));
  return {
    errors: errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    instantiations: program.getInstantiationCount(),
  };
}

describe('A builder of many tasks', () => {
  it('costs the compiler little: 8,000 instantiations a task', () => {
    const small = check(sourceOf(1));
    const large = check(sourceOf(51));
    expect([...small.errors, ...large.errors]).toEqual([]);
    expect(large.instantiations - small.instantiations).toBeLessThan(50 * 8_000);
  });
});
