import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Poller, type PollerContext, type PollerResult } from 'nestjs-cloacina';
import { AirportImport, type ImportContext } from './airport-import.workflow.js';

interface DroppedFile {
  readonly name: string;
  /** When it was dropped or changed, in milliseconds since 1970. */
  readonly changedAt: number;
}

/**
 * Starts an import for each file that is dropped into the folder of a customer, such as `acme/monday.json` with
 * `{ "limit": 40 }`.
 */
@Injectable()
export class Inbox {
  private readonly logger = new Logger('Inbox');
  private readonly folder: string;

  constructor(config: ConfigService) {
    this.folder = config.getOrThrow<string>('INBOX');
  }

  /**
   * The cursor is the time of the newest file so far. A file of exactly that time is seen again, because another one may have
   * the same time; its key keeps it from being imported twice.
   */
  @Poller({ name: 'inbox', every: '5s', workflow: AirportImport })
  async look(context: PollerContext<number>): Promise<PollerResult<typeof AirportImport, number>> {
    const { tenant, cursor = 0 } = context;
    const folder = path.join(this.folder, tenant);
    const files = (await filesIn(folder)).filter(({ changedAt }) => changedAt >= cursor);
    const starts = [];
    for (const { name, changedAt } of files) {
      const input = await this.inputIn(path.join(folder, name));
      if (input !== undefined) starts.push({ key: `${name}@${changedAt}`, input });
    }
    return { starts, cursor: Math.max(cursor, ...files.map(({ changedAt }) => changedAt)) };
  }

  /** A file that is not valid is passed over. A correction changes the file, so it is seen again. */
  private async inputIn(file: string): Promise<Pick<ImportContext, 'limit'> | undefined> {
    try {
      const { limit } = JSON.parse(await readFile(file, 'utf8')) as Pick<ImportContext, 'limit'>;
      if (limit === undefined) return {};
      if (Number.isInteger(limit) && limit > 0) return { limit };
      throw new RangeError('limit must be a whole number above 0.');
    } catch (error) {
      this.logger.log(`${file} is not imported: ${(error as Error).message}`);
      return undefined;
    }
  }
}

/** The JSON files of a folder; none if the folder does not exist. */
async function filesIn(folder: string): Promise<DroppedFile[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => ({ name, changedAt: (await stat(path.join(folder, name))).ctimeMs })),
  );
}
