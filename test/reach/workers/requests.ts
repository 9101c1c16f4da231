/** What workers are asked, for both sides. */
import { Schema } from "effect"
import { Seen } from "../shop.js"

export class Start extends Schema.TaggedRequest<Start>()("InitialMessage", {
  success: Schema.Void,
  failure: Schema.Never,
  payload: {}
}) {}

/** What the first message was seeded with. */
export class Started extends Schema.TaggedRequest<Started>()("Started", {
  success: Schema.String,
  failure: Schema.Never,
  payload: {}
}) {}

export class Who extends Schema.TaggedRequest<Who>()("Who", {
  success: Seen,
  failure: Schema.Never,
  payload: {}
}) {}

export class Whose extends Schema.TaggedRequest<Whose>()("Whose", {
  success: Seen,
  failure: Schema.Never,
  payload: { count: Schema.Number }
}) {}

export class Fail extends Schema.TaggedRequest<Fail>()("Fail", {
  success: Schema.Void,
  failure: Schema.String,
  payload: {}
}) {}

export class Die extends Schema.TaggedRequest<Die>()("Die", {
  success: Schema.Void,
  failure: Schema.Never,
  payload: {}
}) {}

/** The message that comes last wakes all of its round. */
export class Meet extends Schema.TaggedRequest<Meet>()("Meet", {
  success: Schema.String,
  failure: Schema.Never,
  payload: { round: Schema.String, count: Schema.Number }
}) {}

export class Hang extends Schema.TaggedRequest<Hang>()("Hang", {
  success: Schema.Void,
  failure: Schema.Never,
  payload: { round: Schema.String }
}) {}

/** What became of those that hang in a round. */
export class Hung extends Schema.TaggedRequest<Hung>()("Hung", {
  success: Schema.Array(Schema.String),
  failure: Schema.Never,
  payload: { round: Schema.String }
}) {}

export const Requests = Schema.Union(Start, Started, Who, Whose, Fail, Die, Meet, Hang, Hung)
export type Requests = typeof Requests.Type
