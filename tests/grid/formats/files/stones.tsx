<?xml version="1.0" encoding="UTF-8"?>
<tileset version="1.8" tiledversion="1.8.2" name="stones" tilewidth="8" tileheight="8" spacing="1" margin="1" tilecount="2" columns="2">
 <image source="stones.png" width="19" height="10"/>
 <tile id="1" type="gravel"/>
</tileset>
