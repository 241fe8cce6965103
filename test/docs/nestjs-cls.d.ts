// What the examples of the guide use of nestjs-cls, which the library doesn't depend on. As in its version 7.
declare module 'nestjs-cls' {
  import type { DynamicModule } from '@nestjs/common';

  export const CLS_REQ: unique symbol;
  export class ClsService {
    // oxlint-disable-next-line typescript/no-explicit-any -- as it is there
    get(key: string | symbol): any;
  }
  export const ClsModule: {
    forRoot(options: {
      global?: boolean;
      middleware?: { mount?: boolean; saveReq?: boolean };
    }): DynamicModule;
  };
}
