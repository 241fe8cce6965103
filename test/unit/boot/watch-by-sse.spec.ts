import { Controller, Inject, Module, Param, Sse, type MessageEvent } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { finalize, from, map, type Observable } from 'rxjs';
import { CloacinaTestingModule } from 'nestjs-cloacina/testing';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import type { ExecutionUpdate } from '../../../lib/runner/execution.js';
import { gate } from '../../support/gate.js';
import { waitFor } from '../../support/wait-for.js';

const end = gate();
const workflow = defineWorkflow('watched-by-sse')
  .task('only', async () => {
    await end.passed;
  })
  .build();

/** Watches that have not ended. */
let open = 0;

/** The controller of docs/executions.md, which also counts. */
@Controller('executions')
class WatchController {
  constructor(@Inject(CloacinaRunner) private readonly runner: CloacinaRunner) {}

  @Sse(':id/updates')
  updates(@Param('id') id: string): Observable<MessageEvent> {
    const closing = new AbortController();
    return from(this.counted(this.runner.watch(id, { signal: closing.signal }))).pipe(
      map((data) => ({ data })),
      finalize(() => closing.abort()),
    );
  }

  private async *counted(updates: AsyncIterable<ExecutionUpdate>): AsyncIterable<ExecutionUpdate> {
    open++;
    try {
      yield* updates;
    } finally {
      open--;
    }
  }
}

@Module({
  imports: [CloacinaTestingModule.forTenant({ tenant: 'watched' })],
  providers: [{ provide: workflow.name, useValue: workflow }],
  controllers: [WatchController],
})
class WatchModule {}

it('sends the states of an execution to a browser, and ends with it or with the client', async () => {
  const app = await NestFactory.create(WatchModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  try {
    const { port } = app.getHttpServer().address() as AddressInfo;
    const { id } = await app.get(CloacinaRunner).start(workflow, {});
    const url = `http://127.0.0.1:${port}/executions/${id}/updates`;
    const client = new AbortController();
    const gone = await fetch(url, { signal: client.signal });
    const reader = gone.body!.getReader();
    await reader.read();
    const stays = await fetch(url);
    await waitFor(() => open === 2);
    client.abort();
    await reader.read().catch(() => undefined);
    await waitFor(() => open === 1);
    end.open();
    const text = await stays.text();
    const states = [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, json]) => JSON.parse(json!) as { id: string; status: string },
    );
    expect(states.at(-1)).toMatchObject({ id, status: 'Completed' });
    await waitFor(() => open === 0);
  } finally {
    await app.close();
  }
});
