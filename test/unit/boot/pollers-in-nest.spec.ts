import { Injectable, Module, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import {
  CloacinaTestingModule,
  getTestingTenantToken,
  type TestingTenant,
} from 'nestjs-cloacina/testing';
import { OnWorkflowEvent } from '../../../lib/discovery/on-workflow-event.decorator.js';
import { Poller } from '../../../lib/discovery/poller.decorator.js';
import type { PollerContext, PollerOptions } from '../../../lib/discovery/poller-types.js';
import { Schedule } from '../../../lib/discovery/schedule.decorator.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { ConfigurationError } from '../../../lib/errors/index.js';
import type { WorkflowEventOf } from '../../../lib/events/event-name.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';

@Injectable()
class Shelf {
  readonly files = new Map<string, string[]>();
}

@Workflow({ name: 'import-file' })
class ImportFile {
  readonly imported: string[] = [];

  @Task()
  read(context: TaskContext<{ file: string }>) {
    this.imported.push(`${context.tenant}: ${context.require('file')}`);
  }
}

@Injectable()
class Inbox {
  readonly polls: string[] = [];

  constructor(private readonly shelf: Shelf) {}

  @Poller({ name: 'inbox', every: '1s', workflow: ImportFile, tenants: (name) => name !== 'demo' })
  look({ tenant, cursor = '' }: PollerContext<string>) {
    const found = (this.shelf.files.get(tenant) ?? []).filter((file) => file > cursor).toSorted();
    return {
      starts: found.map((file) => ({ key: file, input: { file } })),
      cursor: found.at(-1) ?? cursor,
    };
  }

  @OnWorkflowEvent('execution.completed', { workflow: 'cloacina.poller.inbox' })
  polled({ tenant }: WorkflowEventOf<'execution.completed'>) {
    this.polls.push(tenant);
  }
}
Reflect.defineMetadata('design:paramtypes', [Shelf], Inbox);

describe('@Poller in an application', () => {
  it('polls its tenants, each with a cursor of its own', async () => {
    const app = await Test.createTestingModule({
      imports: [CloacinaTestingModule.forTenants(['acme', 'globex', 'demo'])],
      providers: [ImportFile, Inbox, Shelf],
    }).compile();
    const { files } = app.get(Shelf);
    files.set('acme', ['a.csv', 'b.csv']).set('globex', ['a.csv']).set('demo', ['a.csv']);
    await app.init();
    const { time } = app.get<TestingTenant>(getTestingTenantToken('acme'));
    const { imported } = app.get(ImportFile);
    // The jitter of a poll is at most its interval.
    await time.advance('2s');
    expect(imported.toSorted()).toEqual(['acme: a.csv', 'acme: b.csv', 'globex: a.csv']);
    files.set('acme', ['a.csv', 'b.csv', 'c.csv']);
    await time.advance('1s');
    expect(imported.slice(3)).toEqual(['acme: c.csv']);
    // Further polls find nothing new.
    const { polls } = app.get(Inbox);
    const before = polls.filter((tenant) => tenant === 'acme').length;
    await time.advance('2s');
    expect(polls.filter((tenant) => tenant === 'acme')).toHaveLength(before + 2);
    expect(polls).not.toContain('demo');
    expect(imported).toHaveLength(4);
    const tenants = app.get(CloacinaTenants);
    const cursors = await Promise.all(
      ['acme', 'globex', 'demo'].map(async (name) => {
        const poller = await tenants.get(name).runner.pollers.get('inbox');
        return poller?.cursor ?? null;
      }),
    );
    expect(cursors).toEqual(['c.csv', 'a.csv', null]);
    files.set('late', ['z.csv']);
    await tenants.add({ tenant: 'late', schema: 'late' });
    await time.advance('2s');
    expect(imported.slice(4)).toEqual(['late: z.csv']);
    await app.close();
  });

  it('are told what is wrong with them at boot, all at once', async () => {
    const poller = (options: Partial<Record<keyof PollerOptions, unknown>>) => {
      class Bad {
        poll() {}
      }
      Poller({ name: 'bad', every: '1s', workflow: ImportFile, ...options } as PollerOptions)(
        Bad.prototype,
        'poll',
        Object.getOwnPropertyDescriptor(Bad.prototype, 'poll') as never,
      );
      return Bad;
    };
    @Workflow({ name: 'nightly' })
    @Schedule({ cron: '@daily' })
    class Nightly {
      @Task()
      run() {}
    }
    class PerRequest {
      @Poller({ name: 'per request', every: '1s', workflow: ImportFile })
      poll() {}
    }
    class Static {
      @Poller({ name: 'static', every: '1s', workflow: ImportFile })
      static poll() {}

      other() {}
    }
    @Module({ providers: [Inbox, Shelf] })
    class Again {}
    const provide = (useClass: new () => object, scope = Scope.DEFAULT) => ({
      provide: Symbol('poller'),
      useClass,
      scope,
    });
    const booted = async (): Promise<void> => {
      const app = await Test.createTestingModule({
        imports: [Again, CloacinaTestingModule.forTenant({ tenant: 'acme' })],
        providers: [
          ImportFile,
          Nightly,
          Inbox,
          Shelf,
          provide(poller({ name: '' })),
          provide(poller({ every: 'often' })),
          provide(poller({ name: 'too often', every: '1ms' })),
          provide(poller({ name: 'nothing', workflow: undefined })),
          provide(poller({ name: 'no class', workflow: Shelf })),
          provide(poller({ name: 'unknown', workflow: 'import-fill' })),
          provide(poller({ name: 'retry', retry: { attempts: 3 }, timeout: 'soon' })),
          provide(poller({ name: 'option', evry: '1s', tenants: 'acme' } as never)),
          provide(poller({ name: 'nightly' })),
          provide(PerRequest, Scope.REQUEST),
          provide(Static),
        ],
      }).compile();
      await app.init();
    };
    const error = await booted().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    const { problems } = error as ConfigurationError;
    const expected = [
      /^@Poller of Bad\.poll\(\) in RootTestModule: name must be a string of 1 to 100 characters/,
      /^@Poller of Bad\.poll\(\) in RootTestModule, schedule "bad": every must be/,
      /schedule "too often": every must be at least/,
      /needs the option workflow/,
      /is the class Shelf, which has no @Workflow/,
      /workflow has "import-fill", which no module provides\. Did you mean "import-file"/,
      /there is no option "attempts"/,
      /timeout "soon"/,
      /there is no option "evry"/,
      /tenants must be a function or a list of names, not 'acme'/,
      /has the name "nightly", which a schedule of workflow "nightly" has too/,
      /PerRequest \(in RootTestModule\) has @Poller, but Nest creates it for each request/,
      /static method/,
      /has the name "inbox", which Inbox\.look\(\) in \w+ has too\. Rename one of them/,
    ];
    for (const pattern of expected) expect(problems).toContainEqual(expect.stringMatching(pattern));
  });
});
