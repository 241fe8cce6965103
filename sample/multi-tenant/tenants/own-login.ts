import { hkdfSync } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { CloacinaAdmin, TenantExistsError } from 'nestjs-cloacina';
import type { TenantProfile } from './profiles.js';

/**
 * Creates a login that can use one customer's schema and nothing else, with the rights of the application's login.
 *
 * The password is in no file. It is derived from the password of the application's login, so every process computes
 * the same one. The application's login could set it anyway, so this reveals nothing. A real application should store
 * what `createTenant` returns with its other secrets.
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

  /** Returns the URL of the login, and creates the login the first time. */
  async urlFor({ name, schema }: TenantProfile): Promise<string> {
    const login = { schema, username: this.usernameOf(name), ...this.passwordOf(schema) };
    try {
      return (await this.admin.createTenant(login)).connectionString;
    } catch (error) {
      if (!(error instanceof TenantExistsError)) throw error;
      // The application's password has changed since then, or it has none.
      return (await this.admin.rotatePassword(login)).connectionString;
    }
  }

  /** Includes the database: roles belong to the server, which may run this application in several databases. */
  private usernameOf(name: string): string {
    const database = decodeURIComponent(this.url.pathname.slice(1));
    return `${name}_${database.replaceAll(/\W/g, '_')}`.slice(0, 63);
  }

  private passwordOf(schema: string): { password?: string } {
    const { password } = this.url;
    // The application connects without a password, so there is nothing to derive one from.
    if (password === '') return {};
    const bytes = hkdfSync('sha256', password, '', `login of ${schema}`, 24);
    return { password: Buffer.from(bytes).toString('base64url') };
  }
}
