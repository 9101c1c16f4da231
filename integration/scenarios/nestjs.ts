import "reflect-metadata"
import type { CallHandler, ExecutionContext, MiddlewareConsumer, NestInterceptor, NestModule } from "@nestjs/common"
import { Body, Controller, Headers, Inject, Injectable, Module, Post } from "@nestjs/common"
import { APP_INTERCEPTOR, NestFactory } from "@nestjs/core"
import { Effect } from "effect"
import type { Request as ExpressRequest } from "express"
import { ClsModule, ClsService } from "nestjs-cls"
import type { Observable } from "rxjs"
import { tap } from "rxjs"
import { post } from "../harness/http.js"
import type { Scenario, Tools } from "../harness/scenario.js"
import { work } from "../harness/work.js"

const makeApp = ({ checkOf, enter, run }: Tools) => {
  @Injectable()
  class Checking implements NestInterceptor {
    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      const check = checkOf(context.switchToHttp().getRequest<ExpressRequest>().get("x-request-id")!)
      check("in an interceptor")
      return next.handle().pipe(tap(() => check("in an interceptor after the handler")))
    }
  }

  @Controller()
  class Orders {
    constructor(@Inject(ClsService) private readonly cls: ClsService) {}

    @Post()
    async order(@Headers("x-request-id") id: string, @Body() body: unknown) {
      const check = checkOf(id)
      check("in a handler")
      check.saw("in ClsService", this.cls.getId())
      await run(id, {
        promises: async (check) => {
          await work.promises(check)
          check.saw("in ClsService after an await", this.cls.getId())
        },
        effects: (check) =>
          work.effects(check).pipe(Effect.map(() => check.saw("in ClsService after an await", this.cls.getId())))
      })
      check("after the run")
      return body
    }
  }

  @Module({
    imports: [
      ClsModule.forRoot({
        global: true,
        middleware: {
          mount: true,
          generateId: true,
          idGenerator: (request: ExpressRequest) => request.get("x-request-id")!
        }
      })
    ],
    controllers: [Orders],
    providers: [{ provide: APP_INTERCEPTOR, useClass: Checking }]
  })
  class App implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      consumer.apply((request: ExpressRequest, _: unknown, next: () => void) =>
        enter(request.get("x-request-id")!, next)
      ).forRoutes(Orders)
    }
  }
  return App
}

export const scenario: Scenario = {
  library: "NestJS",
  packages: ["@nestjs/core", "nestjs-cls"],
  start: async (tools) => {
    const app = await NestFactory.create(makeApp(tools), { logger: false })
    await app.listen(0, "127.0.0.1")
    return { request: async (id) => post(await app.getUrl(), id), stop: () => app.close() }
  },
  expected: {}
}
