import { startChild, type TestChild } from '../../support/child-process.js';
import type { Request } from './process.js';

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** An application in a process of its own; see process.ts. */
export class TenantProcess {
  private lastId = 0;

  private constructor(readonly child: TestChild) {}

  static async start(
    databaseUrl: string,
    { discover }: { discover: boolean },
  ): Promise<TenantProcess> {
    const child = startChild(new URL('process.ts', import.meta.url), {
      env: { DATABASE_URL: databaseUrl, DISCOVER: String(discover) },
    });
    await child.message(({ id }: Answer) => id === 0);
    return new TenantProcess(child);
  }

  /** What it serves. */
  async list(): Promise<{ name: string; schema: string }[]> {
    return (await this.ask({ list: true })) as { name: string; schema: string }[];
  }

  async ask(request: Request): Promise<unknown> {
    const id = ++this.lastId;
    this.child.send({ ...request, id });
    const { error, result } = await this.child.message(
      (answer: Answer) => answer.id === id,
      60_000,
    );
    if (error !== undefined) throw new Error(error);
    return result;
  }
}
