import type { Context } from 'koa';
import type { AppSnapshot, Client } from '../apps/app.ts';
import type { Part } from '../storage/sql.ts';
import type { DevicePrompt } from './features/device-flow.ts';
import type { AskedResource } from './resources.ts';
import type { IssuerKind } from './issuers.ts';

/** A sign-in (or consent) in progress: an authorization request waiting for its person. */
export type Interaction = {
  appId: string;
  uid: string;
  /** At which issuer it began, and where it goes on. */
  issuer: IssuerKind;
  snapshot: AppSnapshot;
  client: Client;
  prompt: { name: string; reasons: string[]; details: Record<string, unknown> };
  /** Parameters of the authorization request: redirect_uri, scope, login_hint, ui_locales, acr_values … */
  params: Readonly<Record<string, unknown>>;
  /** What it wants of the app's APIs (RFC 8707). */
  resources: AskedResource[];
  /** The user of this browser's session at this app, if there is one. */
  signedInUserId: string | undefined;
  /** The device that waits to be confirmed, where that is the prompt. */
  device: DevicePrompt | undefined;
  /** Internal name of that session. */
  sessionUid: string | undefined;
  /** No shorter than it still lives, whatever the clocks say. */
  livesAtMostSeconds: number;
  /** Its parameters, if it holds nothing that would have to be judged again when it goes on; undefined otherwise. */
  plainForm: Readonly<Record<string, string>> | undefined;
};

export type SignedIn = { userId: string; amr: string[]; acr: string; authTimeSeconds: number };

export type Ending = {
  /** What of it belongs into the statement that spends the result. undefined: nothing does. */
  writes: ((signedIn: SignedIn) => EndingWrites) | undefined;
  /** Once that is committed: answers 303, to the client or to the authorization endpoint. `isBegun`: as the statement said. */
  answer(signedIn: SignedIn, isBegun: boolean): Promise<void>;
};

export type EndingWrites = {
  /** Common table expressions, each with a comma before it, which hang on the one row of `once`. */
  parts: Part;
  /** Whether they did what they were to do: not for somebody who may not sign in any more. */
  isBegun: Part;
};

export type Interactions = {
  /**
   * The interaction of this URL and of this browser's cookie. Problem `interaction.expired` otherwise. `beside` is called
   * for this browser alone, before the interaction is read: what it asks of the store goes with that.
   */
  load(ctx: Context, appId: string, uid: string, beside?: () => void): Promise<Interaction>;
  /** The same without asking for the cookie: for a link that was opened in another browser. Never sign in on its word. */
  peek(appId: string, uid: string): Promise<Interaction | undefined>;
  /** Whether this browser holds the interaction's cookie. Says nothing about the interaction being alive. */
  isHere(ctx: Context, appId: string, uid: string): boolean;
  /** How it ends for whoever proves who they are. */
  ending(ctx: Context, interaction: Interaction): Promise<Ending>;
  /** `scopes` undefined: everything that was asked for. */
  finishConsent(ctx: Context, interaction: Interaction): Promise<void>;
  /** The person says that the device is theirs. */
  finishDevice(ctx: Context, interaction: Interaction): Promise<void>;
  /** Sends the person back to the app with an OAuth error (`access_denied`). */
  abort(ctx: Context, interaction: Interaction): Promise<void>;
};
