// The till's page works without this. With it, a camera reads codes where the browser can, and a photo is sent when taken.
"use strict";

const scan = document.getElementById("scan");
const photo = document.getElementById("photo");
const LOOK_EVERY_MS = 200;

if (photo) {
  const press = document.getElementById("read-photo");
  press.hidden = true;
  photo.addEventListener("change", () => photo.files.length && photo.form.requestSubmit(press));
}

async function detector() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return null;
  const formats = await BarcodeDetector.getSupportedFormats();
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

async function read(found, video, stream) {
  const [seen] = await found.detect(video).catch(() => []);
  if (!seen) return stream.active && setTimeout(() => read(found, video, stream), LOOK_EVERY_MS);
  stop(video, stream);
  const code = document.getElementById("code");
  code.value = seen.rawValue.slice(0, code.maxLength);
  return code.form.requestSubmit();
}

function stop(video, stream) {
  for (const track of stream.getTracks()) track.stop();
  video.hidden = true;
  scan.textContent = scan.dataset.start;
  scan.onclick = () => start();
}

async function start() {
  const video = document.getElementById("camera");
  const trouble = document.getElementById("camera-trouble");
  trouble.hidden = true;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    scan.textContent = scan.dataset.stop;
    scan.onclick = () => stop(video, stream);
    read(await detector(), video, stream);
  } catch {
    trouble.hidden = false; // refused, or no camera: the photo and typing are there
  }
}

if (scan) {
  detector().then((found) => {
    scan.hidden = !found;
    scan.onclick = () => start();
  });
}
