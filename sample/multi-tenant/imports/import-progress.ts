import { Injectable, Logger } from '@nestjs/common';
import type { ExecutionUpdate, TaskItems } from 'nestjs-cloacina';
import { footer } from '../footer.js';
import type { Tenant } from '../tenants/tenants.js';

/** Shows how many chunks of the imports have ended: bars at the foot of a terminal, or else a line for each change. */
@Injectable()
export class ImportProgress {
  private readonly logger = new Logger('Import');
  /** Of the imports that run, by their ids. */
  private readonly bars = new Map<string, string>();

  /** Shows the bar of an import until its chunks have ended. An import whose chunks have ended before has no bar. */
  follow(tenant: Pick<Tenant, 'name' | 'runner'>, id: string): void {
    // The caller that waits for the import reports how it ends, also if this process stops serving the customer.
    this.watch(tenant, id)
      .catch(() => undefined)
      .finally(() => this.remove(id));
  }

  private async watch(
    { name, runner }: Pick<Tenant, 'name' | 'runner'>,
    id: string,
  ): Promise<void> {
    for await (const { tasks } of runner.watch(id)) {
      const chunks = chunksOf(tasks);
      if (chunks === undefined || !(chunks.open > 0 || this.bars.has(id))) continue;
      this.show(id, `${name.padEnd(7)} chunks ${barOf(chunks)}`);
      if (chunks.open === 0) this.remove(id);
    }
  }

  private show(id: string, bar: string): void {
    if (this.bars.get(id) === bar) return;
    this.bars.set(id, bar);
    if (footer === undefined) this.logger.log(bar);
    else this.draw();
  }

  private remove(id: string): void {
    if (this.bars.delete(id)) this.draw();
  }

  private draw(): void {
    footer?.show([...this.bars.values()].join('   '));
  }
}

function chunksOf(tasks: ExecutionUpdate['tasks']): TaskItems | undefined {
  const items = tasks.find(({ name }) => name === 'chunks')?.items;
  return items?.isComplete === true ? items : undefined;
}

/** One block for each chunk: `███░░░░░ 3 of 8`. */
function barOf({ total, open }: TaskItems): string {
  const ended = total - open;
  return `${'█'.repeat(ended)}${'░'.repeat(open)} ${ended} of ${total}`;
}
