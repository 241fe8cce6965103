import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { HttpStatus, Injectable } from '@nestjs/common';
import { DashboardProblem } from './problem.js';

const INDEX = 'index.html';
const BASE = '<base href="./">';
const NAME = /^[\w][\w.-]*$/;

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
};

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly content: Buffer;
}

/** The built page: beside the bundle in the package, and in `dist` while the library is developed. */
@Injectable()
export class PageFiles {
  private readonly kept = new Map<string, Promise<Buffer>>();

  constructor(private readonly directory: string | undefined = findDirectory()) {}

  /** The page for a path, at which its relative URLs begin. */
  async index(basePath: string): Promise<string> {
    const html = (await this.read(INDEX)).toString();
    return html.replace(BASE, () => `<base href="${basePath}">`);
  }

  /** A file of the folder `assets`. Their names contain hashes of their contents. */
  async asset(name: string): Promise<PageFile> {
    const type = TYPES[path.extname(name)];
    if (!NAME.test(name) || type === undefined) throw noFile();
    return { type, content: await this.read(path.join('assets', name)) };
  }

  private read(name: string): Promise<Buffer> {
    const { directory } = this;
    if (directory === undefined) {
      throw new DashboardProblem(
        HttpStatus.NOT_FOUND,
        'PAGE_MISSING',
        'The page is not built: run "npm run build". The HTTP API works without it.',
      );
    }
    const known = this.kept.get(name);
    if (known !== undefined) return known;
    const reading = readFile(path.join(directory, name)).catch(() => {
      this.kept.delete(name);
      throw noFile();
    });
    this.kept.set(name, reading);
    return reading;
  }
}

function noFile(): DashboardProblem {
  return new DashboardProblem(HttpStatus.NOT_FOUND, 'NOT_FOUND', 'There is no such file.');
}

function findDirectory(): string | undefined {
  const here = path.dirname(fileURLToPath(new URL(import.meta.url.replace(/[?#].*$/, ''))));
  return ['dashboard', '../../dist/dashboard', '../../dashboard']
    .map((relative) => path.resolve(here, relative))
    .find((directory) => existsSync(path.join(directory, INDEX)));
}
