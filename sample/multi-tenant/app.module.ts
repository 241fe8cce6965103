import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { CloacinaDashboardModule } from 'nestjs-cloacina/dashboard';
import { ApiModule } from './api/api.module.js';
import { validateEnvironment } from './environment.js';
import { TenantsModule } from './tenants/tenants.module.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, validate: validateEnvironment }),
    TenantsModule,
    ApiModule,
    // Without a guard, it is only for development: in production, the boot would fail.
    CloacinaDashboardModule.register({ path: 'cloacina' }),
  ],
})
export class AppModule {}
