// A session of imapflow: does what a mail program does in an hour, and prints one JSON object for each step.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [folder, port, user, pass, certificate] = process.argv.slice(2);
const { ImapFlow } = createRequire(`${folder}/`)('imapflow');
const tell = (step, found) => process.stdout.write(JSON.stringify({ step, found }) + '\n');

const client = new ImapFlow({
    host: 'localhost',
    port: Number(port),
    secure: true,
    auth: { user, pass },
    tls: { ca: readFileSync(certificate) },
    logger: false,
});
await client.connect();

tell('mailboxes', (await client.list()).map(({ path, specialUse }) => [path, specialUse ?? null]));

const lock = await client.getMailboxLock('INBOX');
const messages = [];
const asked = { uid: true, flags: true, envelope: true, bodyStructure: true, size: true, source: true };
for await (const message of client.fetch('1:*', asked)) {
    messages.push({
        uid: message.uid,
        subject: message.envelope.subject,
        from: message.envelope.from[0].address,
        type: message.bodyStructure.type,
        size: message.size,
        source: message.source.toString('base64'),
    });
}
tell('messages', messages);

const appended = await client.append('INBOX', Buffer.from('Subject: from imapflow\r\n\r\nhello\r\n'), ['\\Seen', 'Work']);
tell('appended', { uid: appended.uid, seq: appended.seq });
tell('keyword', await client.search({ keyword: 'Work' }, { uid: true }));
tell('subject', await client.search({ subject: 'yemeği' }, { uid: true }));

await client.messageFlagsAdd(`${messages[0].uid}`, ['\\Flagged'], { uid: true });
tell('flagged', [...(await client.fetchOne(`${messages[0].uid}`, { flags: true }, { uid: true })).flags].sort());
const moved = await client.messageMove(`${messages[1].uid}`, 'Archive', { uid: true });
tell('moved', [...moved.uidMap]);
tell('deleted', await client.messageDelete(`${messages[2].uid}`, { uid: true }));
tell('status', await client.status('Archive', { messages: true, unseen: true, uidNext: true }));

const heard = new Promise(resolve => client.once('exists', resolve));
const idling = client.idle();
tell('idling', true);
const { count, prevCount } = await heard;
tell('exists', { count, prevCount });
lock.release();
await client.logout();
await idling;
tell('end', true);
