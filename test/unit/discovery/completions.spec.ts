import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname, '../../..');
const FILE = resolve(ROOT, 'test/types/in-the-editor.ts');

/** A file that exists in the editor only; `|` is where completions are asked for. */
const SOURCE = `
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { contextValue, taskFailed } from '../../lib/workflow/trigger-rule.js';

type Context = TaskContext<{ orderId: number; state?: 'new' | 'paid' }>;
class Orders {
  helper = 1;
  @Task() charge(context: Context) {}
  @Task() reserve(context: Context) {}
  @Task({ dependsOn: ['|'] }) dependency() {}
  @Task({ dependsOn: ['charge', '|'] }) secondDependency() {}
  @Task({ dependsOn: ['charge'], when: taskFailed('|') }) failed() {}
  @Task({ dependsOn: ['charge'], when: contextValue('|', 'exists') }) key() {}
}

const builder = defineWorkflow('orders')
  .task('price', () => ({ total: 1, currency: 'EUR' }))
  .task('reserve', () => ({ shelf: 'A1' }));
builder.task('x', { dependsOn: ['|'] }, () => {});
builder.task('x', { dependsOn: ['price'], when: taskFailed('|') }, () => {});
builder.task('x', { dependsOn: ['price'] }, (context) => void context.get('|'));
builder.task('x', { dependsOn: ['reserve'] }, (context) => void context.data.|);

const typed = defineWorkflow<{ state?: 'new' | 'paid' }>('typed')
  .task('x', () => ({ state: '|' }))
  .task('y', () => ({ y: 1 }));
typed.task('z', { dependsOn: ['y'], when: contextValue('|', 'exists') }, () => {});
`;

function completionsIn(marked: string): string[][] {
  const parts = marked.split(/\|(?=[')])/);
  const source = parts.join('');
  const { config } = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: [FILE] },
    ts.sys,
    ROOT,
  );
  const textOf = (file: string) => (file === FILE ? source : ts.sys.readFile(file));
  const service = ts.createLanguageService({
    getScriptFileNames: () => [FILE],
    getScriptVersion: () => '1',
    getScriptSnapshot: (file) => {
      const text = textOf(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getCompilationSettings: () => options,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (file) => file === FILE || ts.sys.fileExists(file),
    readFile: textOf,
  });
  let position = 0;
  return parts.slice(0, -1).map((part) => {
    position += part.length;
    const found = service.getCompletionsAtPosition(FILE, position, {});
    // The text that is being typed is a suggestion too.
    return (found?.entries ?? []).map(({ name }) => name).filter((name) => name !== '');
  });
}

describe('An editor', () => {
  it('suggests the names of tasks, keys and values', () => {
    const tasks = ['charge', 'reserve', 'dependency', 'secondDependency', 'failed', 'key'];
    const suggested = completionsIn(SOURCE).map((names) => new Set(names));
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
