import { hkdfSync } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { CloacinaAdmin, TenantExistsError } from 'nestjs-cloacina';
import type { TenantProfile } from './profiles.js';

/**
 * Makes a login that can use one customer's schema and nothing else, with the rights of the application's own.
 *
 * The password is in no file: it is derived from that of the application's login, so that every process and every
 * start comes to the same. Who knows that one could set this one anyway. A real application would rather keep what
 * `createTenant` returns where it keeps its other secrets.
 */
@Injectable()
export class OwnLogin {
  private readonly url: URL;

  constructor(
    private readonly admin: CloacinaAdmin,
    config: ConfigService,
  ) {
    this.url = new URL(config.getOrThrow<string>('DATABASE_URL'));
  }

  /** The URL of the login, which is made the first time. */
  async urlFor({ name, schema }: TenantProfile): Promise<string> {
    const login = { schema, username: this.usernameOf(name), ...this.passwordOf(schema) };
    try {
      return (await this.admin.createTenant(login)).connectionString;
    } catch (error) {
      if (!(error instanceof TenantExistsError)) throw error;
      // The application's own password has changed since, or it has none.
      return (await this.admin.rotatePassword(login)).connectionString;
    }
  }

  /** Roles belong to the whole server, which may have this application in several of its databases. */
  private usernameOf(name: string): string {
    const database = decodeURIComponent(this.url.pathname.slice(1));
    return `${name}_${database.replaceAll(/\W/g, '_')}`.slice(0, 63);
  }

  private passwordOf(schema: string): { password?: string } {
    const { password } = this.url;
    // Where the server asks the application for none, there is nothing to derive another one from.
    if (password === '') return {};
    const bytes = hkdfSync('sha256', password, '', `login of ${schema}`, 24);
    return { password: Buffer.from(bytes).toString('base64url') };
  }
}
