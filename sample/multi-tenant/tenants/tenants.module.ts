import { Global, Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { CloacinaModule } from 'nestjs-cloacina';
import { OwnLogin } from './own-login.js';
import { onSharedLogin } from './profiles.js';
import { signalSecretFrom } from './signal-secret.js';
import { SignUps } from './sign-ups.js';
import { tenantOptions } from './tenant-options.js';
import { Tenants } from './tenants.js';

/**
 * The customers, all on one database. The customer in `public`, those in their own schemas and those that sign up share a
 * pool of connections. One customer has its own login, and so its own pool.
 */
@Global()
@Module({
  imports: [
    CloacinaModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        databaseUrl: config.getOrThrow<string>('DATABASE_URL'),
        shutdownTimeout: '5s',
        retention: { completed: '30d', failed: '90d', cancelled: '30d', keepLast: 20 },
        signalSecret: signalSecretFrom(config.getOrThrow<string>('DATABASE_URL')),
      }),
    }),
    ...onSharedLogin.map((profile) => CloacinaModule.forTenant(tenantOptions(profile))),
  ],
  providers: [Tenants, OwnLogin, SignUps],
  exports: [Tenants, SignUps],
})
export class TenantsModule {}
