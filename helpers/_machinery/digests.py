"""The SHA-256 of every tensor of the two sets of VGG16 weights, which is what `helpers.assets` trusts.

A digest is taken over the tensor's bytes: little-endian float32, C order, kernels as (3, 3, inputs, outputs).
The same numbers therefore have the same digest, whatever file, format or mirror they came from.
"""

FILTERS = {
    "block1": [64] * 2,
    "block2": [128] * 2,
    "block3": [256] * 3,
    "block4": [512] * 3,
    "block5": [512] * 3,
}


def vgg16_shapes() -> dict[str, tuple[int, ...]]:
    """The shape of every convolution's kernel and bias in VGG16 (Simonyan and Zisserman, 2014), in order."""
    shapes, inputs = {}, 3
    for block, filters in FILTERS.items():
        for number, outputs in enumerate(filters, start=1):
            shapes[f"{block}_conv{number}/kernel"] = (3, 3, inputs, outputs)
            shapes[f"{block}_conv{number}/bias"] = (outputs,)
            inputs = outputs
    return shapes


SHAPES = vgg16_shapes()
LAYERS = [key.removesuffix("/kernel") for key in SHAPES if key.endswith("/kernel")]

DIGESTS = {
    "imagenet": {
        "block1_conv1/kernel": "564034bfdba3ca76c2787bb27101f4fff7fa318d2fbce72b98ee85a91ac7233c",
        "block1_conv1/bias": "1ef208fe2fce06d33da14ae4a9710cc88c83b2e6168abd8cc90104dc77e87495",
        "block1_conv2/kernel": "88349446ede864025845492069f0cdd18f8d115a31b334d562d328183235e003",
        "block1_conv2/bias": "4b72fa1a0ca6aaf269f891d0891074cc4e44a86db77f2684f5711a8c32f292d9",
        "block2_conv1/kernel": "4eedcea5414f4914ff6aacda706e323c946e063fad8d9a5b4efe1379b965273a",
        "block2_conv1/bias": "9319bfabce800a0e8e5096b050ab25cde25eb505c31d4993a6fa6e1c425201a1",
        "block2_conv2/kernel": "d04e9376fa0603eb67d875ef93b5f04ba0d881e34394a0f7bd629b8acfb7366b",
        "block2_conv2/bias": "753369cbe1f3df5c2bf733424ce7a58fa7282d3e00f0d401381240df9578d982",
        "block3_conv1/kernel": "61854131434cc09f429e5e5fa7b25e91089fe09b7b55a3989c84937386f6ad80",
        "block3_conv1/bias": "bfb7228878910873041c5fe390176931f082dd0b3d7215c7015dc7830388c369",
        "block3_conv2/kernel": "0a3ba315ec7a81d9beb336dc768855e3acc5de0dba24ece5584f87233ed6f9e0",
        "block3_conv2/bias": "2dfcb4bb7f8a1bfe4649c8dea8bdc84e2058eb7258063960e805a13324038464",
        "block3_conv3/kernel": "ace776cfb805a575d895aa86d374bb672d537d5db15419918720d9e17e853de8",
        "block3_conv3/bias": "bd23367d71708929245d0b1e6109f5e64e08b336d104fda13fd5cec8ba5bee44",
        "block4_conv1/kernel": "1909f6c1a80a6b08535a78e6832c86cbd5289783d568a6e7fe01adacbe943b45",
        "block4_conv1/bias": "c33c2dcc6290bb0f6bd3377f547c29e247355b2209d0b5aa3f701bacbbeed9b9",
        "block4_conv2/kernel": "1250abdd410cb89b9a5afa7b828b82f6f832939206a24eb561bf7d694afe694a",
        "block4_conv2/bias": "c36252293630a716724eb391cf4c62c3ca425a524cafa2e99da3199a3585e943",
        "block4_conv3/kernel": "dc4ec7c7bd32f3bc3f5ed61fc641e191b9ca730448e94fcf1062f49c841d2bf3",
        "block4_conv3/bias": "59a2abf76b13ac1340e953cf668cc9cd923f564f9fa11a8e960ab6d04eb1c4c7",
        "block5_conv1/kernel": "8396e0b82aee60206d48c8aef35928c15f4131f52c9a666ea511943544a9efc1",
        "block5_conv1/bias": "312ab22d6dece721c2617eeacf7dd5146ca5f165a3d0dc8cbefb3b823f2c5d51",
        "block5_conv2/kernel": "691a5087bbf6fab4bbd6decead1c1c161ba311cbcb269cb6141266b2555eccaf",
        "block5_conv2/bias": "16bb5bca01eefdf72e95d4234172051876027824f1c838035f5e6a3ce4dbb4fd",
        "block5_conv3/kernel": "5be0ee0f7ddc0de1f3a2fc891c6c1d227a44fcb11dc0a7e24cad96e1d30db32d",
        "block5_conv3/bias": "384c7a4f72e853a0e0636ce15e30d5133c22238bd8adc37c3bd12ff56939e34f",
    },
    "edges": {
        "block1_conv1/kernel": "4616fe49d558c409c626a20912510a3462d31d3f9704e930244a07edde0b76f5",
        "block1_conv1/bias": "436ffdea5f0320aa6c794ce812d4e9eaa51529d178488040af602cc8d6f0e3f5",
        "block1_conv2/kernel": "617d49ab1fe58b3c1eaabc7a15b4f54f5d8ef51479489fdc50bb866e3ce3b42b",
        "block1_conv2/bias": "be5ff63308b53a3ce0be3c12dc40e6c1c777c32edee435f67bf89a06fae3f437",
        "block2_conv1/kernel": "d3c2c2c5f48102eb1e0e48b2a03a3a8d4427a35811437956d3f21a890d9ed5c7",
        "block2_conv1/bias": "8b2b37a108882d2e52e23af4d795dacda4b41804e61dfaee943180a0584bdeed",
        "block2_conv2/kernel": "e7be39cf422f390664a2e95efe2f828ab8af895c25d89232fef5c75de70d4b87",
        "block2_conv2/bias": "287f79975831e9decd2005a4991aa159acd36c4c5afc23fe7da4081c4d105526",
        "block3_conv1/kernel": "4c4db50f8f4f75ff34986e7a9ec8e20944d8328c45fd24695c448ab11fe79574",
        "block3_conv1/bias": "1c50c7c2a64aa4e08156c1cb5d8d3abfb5b05f72f483a016ff5a253abd2d55a3",
        "block3_conv2/kernel": "fb1b06db761ef16fbfb977c28da89f495afa2a065578fb2c0bdb51ea5dbbf6fd",
        "block3_conv2/bias": "f4cfd5592fd4de8cc3ed790f2a4a489e088c266e6954ec9e0c011ad2ef6c45ca",
        "block3_conv3/kernel": "4901acbe17bcc4c0c7fd41c2f2ed781919af92fc9491540fe1c3d605d3dffead",
        "block3_conv3/bias": "2e1b9afbc2f670ac690ea25efad1bad9b549d0fab2a994ed70921a2e0e6af04c",
        "block4_conv1/kernel": "706b071e8fc88e2cc17b6e198a10ff7634386040b2b88fca513f75ff30784730",
        "block4_conv1/bias": "b1ddbe1566aa026466c80b2744fd07c927eeb01dfbff5f4e26531ba62428f30e",
        "block4_conv2/kernel": "f84d93406b3ebd96bee429c197d84a62d02e50a685752b90ec58556fa9e48d5e",
        "block4_conv2/bias": "c225c8f5f7d36674308227d3aea935aa562f64194ab9d36599baa2a0cddb3506",
        "block4_conv3/kernel": "3d4beb286552c03d137d75deb3961db91a027c2b5d3d8ea0d4872272d2eff69f",
        "block4_conv3/bias": "88ce579148968ad5ca77d93cd72fd92f1a8d2fa47cdf84eab5d79f61c4c018ce",
        "block5_conv1/kernel": "578f1a07e803260e9595f1daf7b9a31e658792df8b5f2a1200cf2de410e10c40",
        "block5_conv1/bias": "b92940dedb35f48f506bc731b63b864676d411faea8dbc7cae89d7b2645ebe2b",
        "block5_conv2/kernel": "3bfdab0c4f5b6b7af12dcca433fff1034f2f495a773bfd847d45bb639f1e5dac",
        "block5_conv2/bias": "8130f2617f7900f12d3560b4ada2204bc72ac2ba54b41318b1fb190450529fc9",
        "block5_conv3/kernel": "8bb600852116100ce8207fd0608620043bfa81f69b222f75c580c2e8af9fea43",
        "block5_conv3/bias": "e461f8ac8739a956ebb22313e139fe6b61861053016e20c79e6a44b18b3e1616",
    },
}
