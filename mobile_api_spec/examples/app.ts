/**
 * An app's day with the generated client: sign in, ask, wait for the answer, read it, hand out a gift.
 *
 *   make clients                                     writes the client to mobile_api_spec/examples/client
 *   cd mobile_api_spec/examples && npx tsc && node out/app.js https://staging.example +31612340000
 */
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline/promises";
import { Configuration, QuestionsApi, ResponseError, RewardsApi, type Problem, type QuestionDetail } from "./client";

const POLL_MS = 1_000;
const POLLS_MAX = 120;

/** The one-time code comes by SMS; a phone fills it in by itself. */
async function signIn(base: string, phone: string, readCode: () => Promise<string>): Promise<string> {
  const asked = await postAuth(base, "auth/code/request", { phone });
  const session = asked.meta.session_token;
  if (session === undefined) throw new Error("no sign-in is under way");
  const done = await postAuth(base, "auth/code/confirm", { code: await readCode() }, session);
  if (done.meta.access_token === undefined) throw new Error("the code was not right");
  return done.meta.access_token;
}

interface AuthAnswer {
  meta: { session_token?: string; access_token?: string };
}

async function postAuth(base: string, path: string, body: object, session?: string): Promise<AuthAnswer> {
  const response = await fetch(`${base}/_allauth/app/v1/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(session ? { "X-Session-Token": session } : {}) },
    body: JSON.stringify(body),
  });
  return (await response.json()) as AuthAnswer; // 401 tells that the next step is due
}

/** Sent again with the same id and key after a lost connection, it is the same question. */
async function ask(questions: QuestionsApi, text: string): Promise<string> {
  const id = randomUUID();
  const asked = await questions.ask({ idempotencyKey: `ask-${id}`, askIn: { id, text } });
  console.log(`asked ${asked.reference}, answer before ${asked.promise.dueAt.toISOString()}`);
  return asked.id;
}

async function waitForAnswer(questions: QuestionsApi, questionId: string): Promise<QuestionDetail> {
  for (let poll = 0; poll < POLLS_MAX; poll += 1) {
    const question = await questions.getQuestion({ questionId });
    if (question.answer) return question;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("no answer yet");
}

/** The cheapest gift that my credits pay for; the link is shared by the phone's own means. */
async function give(rewards: RewardsApi): Promise<string> {
  const wallet = await rewards.getWallet();
  const offers = await rewards.listOffers();
  const offer = offers.filter((one) => one.priceCredits <= wallet.available).sort((a, b) => a.priceCredits - b.priceCredits)[0];
  if (offer === undefined) throw new Error("no offer that my credits pay for");
  const gift = await rewards.handOutGift({ idempotencyKey: `gift-${randomUUID()}`, giveIn: { offerId: offer.id } });
  return gift.link;
}

async function main(base: string, phone: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin });
  const lines = terminal[Symbol.asyncIterator]();
  const accessToken = await signIn(base, phone, async () => {
    console.log("code?");
    return String((await lines.next()).value);
  });
  terminal.close();
  const configuration = new Configuration({ basePath: base, accessToken });
  const questions = new QuestionsApi(configuration);

  const questionId = await ask(questions, "Waarom is de rekening van mijn zus zo hoog?");
  const answered = await waitForAnswer(questions, questionId);
  console.log(`answer: ${answered.answer?.text}`);
  await questions.relayAnswer({ questionId });
  console.log(`gift: ${await give(new RewardsApi(configuration))}`);

  try {
    await questions.getQuestion({ questionId: randomUUID() });
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const problem = (await error.response.json()) as Problem; // `code` is for programs, `detail` for people
    console.log(`refused: ${problem.code}`);
  }
}

const [base = "http://127.0.0.1:8000", phone = ""] = process.argv.slice(2);
main(base, phone).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
