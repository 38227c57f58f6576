// Draws the 3D model that the page sends. This document has an origin of its own and can send no requests.
const answer = (message) => parent.postMessage(message, "*");
const ADDONS = "../vendor/three/jsm";
const COLOR = 0x8fa3c8;

const loaders = {
  async gltf(bytes) {
    const { GLTFLoader } = await import(`${ADDONS}/loaders/GLTFLoader.js`);
    return (await new GLTFLoader().parseAsync(bytes, "")).scene;
  },
  async obj(bytes, { MeshStandardMaterial, DoubleSide }) {
    const { OBJLoader } = await import(`${ADDONS}/loaders/OBJLoader.js`);
    const model = new OBJLoader().parse(new TextDecoder().decode(bytes));
    // Its materials are in another file; without one, surfaces are white.
    model.traverse((part) => { if (part.isMesh) part.material = new MeshStandardMaterial({ color: COLOR, side: DoubleSide, vertexColors: Boolean(part.geometry.attributes.color) }); });
    return model;
  },
  async stl(bytes, { Mesh, MeshStandardMaterial, DoubleSide }) {
    const { STLLoader } = await import(`${ADDONS}/loaders/STLLoader.js`);
    return new Mesh(new STLLoader().parse(bytes), new MeshStandardMaterial({ color: COLOR, side: DoubleSide }));
  },
};
loaders.glb = loaders.gltf;

async function show(kind, bytes) {
  const three = await import("three");
  const { OrbitControls } = await import(`${ADDONS}/controls/OrbitControls.js`);
  const renderer = new three.WebGLRenderer({ antialias: true, alpha: true });
  const model = await loaders[kind](bytes, three);
  const box = new three.Box3().setFromObject(model);
  if (box.isEmpty()) throw new Error("it has no surface");
  const [middle, size] = [box.getCenter(new three.Vector3()), box.getSize(new three.Vector3()).length() || 1];
  model.position.sub(middle);

  const camera = new three.PerspectiveCamera(45, 1, size / 1000, size * 100);
  camera.position.set(0.7, 0.5, 1).setLength(size * 1.3);
  const sun = new three.DirectionalLight(0xffffff, 2.5);
  sun.position.set(0.5, 1, 0.8);
  camera.add(sun);
  const scene = new three.Scene().add(model, camera, new three.HemisphereLight(0xffffff, 0x8890a0, 1.6));
  const draw = () => renderer.render(scene, camera);
  const controls = new OrbitControls(camera, renderer.domElement);
  controls.addEventListener("change", draw);

  function fit() {
    renderer.setPixelRatio(devicePixelRatio);
    renderer.setSize(innerWidth, innerHeight);
    camera.aspect = innerWidth / Math.max(innerHeight, 1);
    camera.updateProjectionMatrix();
    draw();
  }
  document.body.replaceChildren(renderer.domElement);
  addEventListener("resize", fit);
  fit();
  // Textures are decoded later.
  setTimeout(draw, 500);
}

addEventListener("message", async ({ source, data }) => {
  if (source !== parent || !(data?.bytes instanceof ArrayBuffer)) return;
  try {
    await show(data.kind, data.bytes);
    answer({ shown: true });
  } catch (error) {
    answer({ error: error.message });
  }
});
answer({ ready: true });
