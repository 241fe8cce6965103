import { Global, Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { CloacinaModule } from 'nestjs-cloacina';
import { OwnLogin } from './own-login.js';
import { onSharedLogin } from './profiles.js';
import { SignUps } from './sign-ups.js';
import { tenantOptions } from './tenant-options.js';
import { Tenants } from './tenants.js';

/**
 * Customers on one database: one in `public` and two in schemas of their own on one pool of connections, one with a
 * login of its own, and customers that sign up while the application runs.
 */
@Global()
@Module({
  imports: [
    CloacinaModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        databaseUrl: config.getOrThrow<string>('DATABASE_URL'),
        shutdownTimeout: '5s',
      }),
    }),
    ...onSharedLogin.map((profile) => CloacinaModule.forTenant(tenantOptions(profile))),
  ],
  providers: [Tenants, OwnLogin, SignUps],
  exports: [Tenants, SignUps],
})
export class TenantsModule {}
