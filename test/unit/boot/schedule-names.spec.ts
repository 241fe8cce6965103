import { describe, expect, it } from '@jest/globals';
import { registerPollers } from '../../../lib/boot/pollers.js';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { DeclaredPoller } from '../../../lib/discovery/poller-explorer.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import type { ScheduleOptions } from '../../../lib/discovery/schedule.decorator.js';
import { BuiltWorkflow } from '../../../lib/discovery/workflow-builder.js';

type Tenants = ScheduleOptions['tenants'];

/** A workflow with a schedule `nightly` for some tenants. */
function scheduled(workflow: string, tenants: Tenants): RegisteredWorkflow {
  const schedule = { name: 'nightly', every: '1h', tenants } as ScheduleOptions;
  const definition = defineWorkflow(workflow, { schedule })
    .task('run', () => undefined)
    .build();
  if (!(definition instanceof BuiltWorkflow)) throw new TypeError('Not a definition.');
  const { registered, problems } = describeDefinition({ definition, module: 'the test' });
  if (registered === undefined) throw new Error(problems.join(' '));
  return registered;
}

function problemsOf(workflows: RegisteredWorkflow[], pollers: DeclaredPoller[] = []) {
  return registerPollers({ pollers, problems: [] }, workflows, true).problems;
}

describe('Schedules of one name of different workflows', () => {
  it('are accepted if lists keep their tenants apart', () => {
    expect(
      problemsOf([
        scheduled('a', ['acme']),
        scheduled('b', ['globex', 'late']),
        scheduled('c', ['other']),
      ]),
    ).toEqual([]);
  });

  it.each<[string, Tenants, Tenants]>([
    ['lists that share a tenant', ['acme', 'globex'], ['late', 'globex']],
    ['a list and all tenants', ['acme'], undefined],
    ['functions', (tenant) => tenant === 'acme', (tenant) => tenant !== 'acme'],
    ['a list and a function', ['acme'], (tenant) => tenant !== 'acme'],
  ])('are refused with %s', (_, a, b) => {
    expect(problemsOf([scheduled('a', a), scheduled('b', b)])).toEqual([
      'A schedule of workflow "b" has the name "nightly", which a schedule of workflow "a" has too. ' +
        "Rename one of them, or give both a list of tenants that has none of the other's.",
    ]);
  });

  it('are refused beside a poller of that name, in whichever tenants', () => {
    const poller: DeclaredPoller = {
      name: 'nightly',
      every: '1h',
      workflow: 'a',
      workflowName: 'a',
      tenants: ['globex'],
      place: 'Inbox.look() in FilesModule',
      call: () => undefined,
    };
    expect(problemsOf([scheduled('a', ['acme'])], [poller])).toEqual([
      '@Poller of Inbox.look() in FilesModule has the name "nightly", which a schedule of workflow "a" has too. Rename one of them.',
    ]);
  });
});
